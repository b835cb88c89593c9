/**
 * Runs seeds of the swarm for rings with a leader: `node dist/test/ring/ordered-run.js [<count> [<first seed>]]`.
 * Prints the seeds that fail, and what is wrong; exits with 1 if there are any.
 */
import { runOrderedSwarm } from './ordered-swarm.js'

const [count = '1000', first = '1'] = process.argv.slice(2)
let failures = 0
const startedAt = process.cpuUsage()
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  let failure: string | undefined
  try {
    failure = runOrderedSwarm(String(seed))
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  if (failure === undefined) continue
  failures++
  console.log(`seed ${seed}: ${failure}`)
}
const seconds = (process.cpuUsage(startedAt).user / 1e6).toFixed(1)
console.log(`${count} seeds, ${failures} failed, ${seconds} s of CPU`)
process.exitCode = failures === 0 ? 0 : 1
