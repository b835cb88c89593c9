/**
 * Judges a recorded history: `node dist/test/sim/judge-history.js <file>`. Exits with 0 if it is linearizable,
 * 1 if it is not, 2 if that could not be decided or read.
 */
import { readFileSync } from 'node:fs'
import { isUnknown, parseHistory } from './history.js'
import { judge } from './linearizability.js'
import { findVersionConflict } from './versions.js'

const [path] = process.argv.slice(2)
if (path === undefined) {
  console.error('Usage: judge-history <file of a recorded history>')
  process.exitCode = 2
} else {
  process.exitCode = judgeFile(path)
}

function judgeFile(file: string): number {
  const operations = parseHistory(readFileSync(file, 'utf8'))
  const unknown = operations.filter(isUnknown).length
  console.log(`${operations.length} operations, ${unknown} of unknown outcome`)
  const conflict = findVersionConflict(operations)
  if (conflict !== undefined) {
    console.log(`NOT LINEARIZABLE: ${conflict.join('\n')}`)
    return 1
  }
  const verdict = judge(operations)
  switch (verdict.kind) {
    case 'linearizable':
      console.log(`linearizable (${verdict.steps} steps)`)
      return 0
    case 'violation':
      console.log(`NOT LINEARIZABLE: key ${verdict.key}\n${verdict.explanation.join('\n')}`)
      return 1
    case 'undecided':
      console.log(`UNDECIDED: key ${verdict.key}, after ${verdict.steps} steps`)
      return 2
  }
}
