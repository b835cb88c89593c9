/** When a cluster on this machine, just started, serves; and what it waits for until then. */
import { setTimeout } from 'node:timers/promises'
import { unreachable } from '../base/assert.js'
import type { StatusAnswer } from './ask-status.js'
import type { LocalCluster } from './local-cluster.js'

/** How often nodes are asked whether they serve while they start. */
const askIntervalMs = 50
/** A start that takes longer than this says what it waits for. */
const patienceMs = 2000
/** How long the rest may take to find a leader that one node knows. */
const graceMs = 1000

/** A cluster that serves, and its leader where it has one. */
export interface Serving {
  readonly leader: string | undefined
}

/**
 * Waits until every node that runs serves, or one does and the others have had time to. Undefined when the nodes
 * end or are stopped before. What a long start waits for is printed, once each.
 */
export async function waitUntilServing(
  cluster: LocalCluster,
  print: (line: string) => void,
): Promise<Serving | undefined> {
  const startedAtMs = performance.now()
  let servingSinceMs: number | undefined
  let told = ''
  while (!cluster.isStopping && cluster.running.length > 0) {
    const waiting: string[] = []
    let serving: Serving | undefined
    for (const [node, said] of await cluster.statuses()) {
      if (said.kind === 'status' && said.serves) serving ??= { leader: said.leader }
      else waiting.push(`${node.address} (${whyWaiting(said)})`)
    }
    const nowMs = performance.now()
    if (serving !== undefined) servingSinceMs ??= nowMs
    const isEnough = servingSinceMs !== undefined && nowMs - servingSinceMs > graceMs
    if (serving !== undefined && (waiting.length === 0 || isEnough)) return serving
    const text = `Waiting for ${waiting.join(', ')}.`
    if (nowMs - startedAtMs > patienceMs && waiting.length > 0 && text !== told) {
      print(text)
      told = text
    }
    await setTimeout(askIntervalMs)
  }
  return undefined
}

function whyWaiting(said: StatusAnswer): string {
  switch (said.kind) {
    case 'status':
      return said.text.includes('(leaderless)') ? 'waits for its ring' : 'knows no leader yet'
    case 'error':
      return said.text
    case 'silent':
      return said.why
    default:
      return unreachable(said)
  }
}
