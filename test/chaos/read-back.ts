/** Looks, once all is healed, for everything that was acknowledged, and whether all nodes hold the same. */
import { waitForCopies } from '../e2e/cluster-state.js'
import type { TestNode } from '../support/processes.js'
import type { Clients } from './clients.js'
import { toLine, toOutcome } from './replies.js'

/** Reads under way at a time. */
const readsAtOnce = 200
const shownLosses = 10

/** What was found. */
export interface ReadBack {
  /** Acknowledged writes that are not there, or not as they were written; a line each for the first of them. */
  readonly lost: number
  readonly losses: readonly string[]
  /** Keys that two nodes hold differently. */
  readonly differences: readonly string[]
  readonly keysRead: number
}

/**
 * Reads every key through the first node, which goes into the history for the judge, and then from the own copy
 * of each node.
 */
export async function readBack(nodes: readonly TestNode[], shared: Clients): Promise<ReadBack> {
  const [first] = nodes
  if (first === undefined) throw new Error('a cluster has nodes')
  const keys = [...shared.keys]
  const lines = await readAll(first, keys, async (key, ask) => {
    const action = { op: 'get', key } as const
    const id = shared.recorder.called('reader', action)
    const reply = await ask(toLine(action))
    const outcome = toOutcome(action, reply)
    if (outcome === undefined) shared.strange.push(`the last '${toLine(action)}' was answered '${reply}'`)
    shared.recorder.returned(id, outcome ?? { kind: 'unknown' })
    return outcome?.kind === 'value' ? `${key} -> ${outcome.value}` : reply
  })
  const isKept = (key: string, value: string) => lines.get(key) === `${key} -> ${value}`
  const losses = [...shared.kept]
    .filter(([key, value]) => !isKept(key, value))
    .map(([key]) => `${key} was acknowledged, and is now '${lines.get(key)}'`)
  return {
    lost: losses.length,
    losses: losses.slice(0, shownLosses),
    differences: await findDifferences(nodes, first, keys, lines),
    keysRead: keys.length,
  }
}

async function findDifferences(
  nodes: readonly TestNode[],
  writer: TestNode,
  keys: readonly string[],
  expected: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  await waitForCopies(writer, nodes)
  const differences: string[] = []
  for (const node of nodes) {
    const own = await readAll(node, keys, (key, ask) => ask(`get --local ${key}`))
    for (const [key, line] of own) {
      if (line !== expected.get(key)) {
        differences.push(`${node.address} holds '${line}', the cluster answered '${expected.get(key)}'`)
      }
    }
  }
  return differences.slice(0, shownLosses)
}

async function readAll(
  node: TestNode,
  keys: readonly string[],
  read: (key: string, ask: (line: string) => Promise<string>) => Promise<string>,
): Promise<ReadonlyMap<string, string>> {
  const client = await node.connect()
  const found = new Map<string, string>()
  for (let start = 0; start < keys.length; start += readsAtOnce) {
    const some = keys.slice(start, start + readsAtOnce)
    const lines = await Promise.all(some.map(key => read(key, line => client.ask(line))))
    for (const [at, key] of some.entries()) found.set(key, lines[at] ?? '')
  }
  client.close()
  return found
}
