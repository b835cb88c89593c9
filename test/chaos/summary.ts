/** What people are told at the end of a round. */
import { medianAndWorst } from '../e2e/cluster-state.js'
import { isUnknown, type Operation } from '../sim/history.js'
import { judge } from '../sim/linearizability.js'
import { findVersionConflict } from '../sim/versions.js'
import { type Fault, longestSilenceMs, pausesByFault } from './pauses.js'
import type { ReadBack } from './read-back.js'

/** What a round has found out. */
export interface Findings {
  readonly operations: readonly Operation[]
  readonly acknowledgedAtMs: readonly number[]
  readonly faults: readonly Fault[]
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly back: ReadBack
  readonly strange: readonly string[]
}

/** A line each, and the exit code: 0 if every promise was kept, 1 if not. */
export function summarize(findings: Findings): { readonly lines: readonly string[]; readonly code: number } {
  const { operations, acknowledgedAtMs, faults, startedAtMs, endedAtMs, back, strange } = findings
  const writes = operations.filter(({ action }) => action.op !== 'get')
  const verdict = judgeAll(operations)
  const overallMs = longestSilenceMs(acknowledgedAtMs, startedAtMs, endedAtMs)
  const isRight = verdict.isRight && back.lost === 0 && back.differences.length === 0 && strange.length === 0
  const lines = [
    row('operations', `${operations.length} (${writes.length} writes)`),
    row('acknowledged', `${acknowledgedAtMs.length} writes`),
    row(
      'unknown outcomes',
      `${operations.filter(isUnknown).length} (${writes.filter(isUnknown).length} writes)`,
    ),
    row('refused', `${operations.filter(({ outcome }) => outcome.kind === 'refused').length}`),
    row('faults', `${faults.length}`),
    row('longest time without an acknowledged write', `${overallMs.toFixed(0)} ms`),
    ...pausesByFault(acknowledgedAtMs, faults, endedAtMs).map(({ name, silencesMs }) =>
      row(`  after: ${name}`, medianAndWorst(silencesMs)),
    ),
    row('acknowledged writes lost', `${back.lost} (${back.keysRead} keys read back)`),
    ...back.losses.map(loss => `  ${loss}`),
    row('nodes hold the same', back.differences.length === 0 ? 'yes' : 'NO'),
    ...back.differences.map(difference => `  ${difference}`),
    ...strange.slice(0, shownStrange).map(line => `STRANGE: ${line}`),
    row('verdict', verdict.text),
  ]
  return { lines, code: isRight ? 0 : 1 }
}

const shownStrange = 10
const labelWidth = 44

function row(label: string, text: string): string {
  return `${label.padEnd(labelWidth)}${text}`
}

function judgeAll(operations: readonly Operation[]): { readonly isRight: boolean; readonly text: string } {
  const conflict = findVersionConflict(operations)
  if (conflict !== undefined) return { isRight: false, text: `NOT LINEARIZABLE: ${conflict.join('\n')}` }
  const verdict = judge(operations)
  switch (verdict.kind) {
    case 'linearizable':
      return { isRight: true, text: 'linearizable' }
    case 'violation':
      return {
        isRight: false,
        text: `NOT LINEARIZABLE: key ${verdict.key}\n${verdict.explanation.join('\n')}`,
      }
    case 'undecided':
      return { isRight: false, text: `UNDECIDED: key ${verdict.key}, after ${verdict.steps} steps` }
  }
}
