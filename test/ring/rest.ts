/** When a ring has come to rest: everybody has what belongs to it, and nobody has anything else. */
import type { NodeId } from '../../src/base/ids.js'
import type { Ring } from '../../src/ring/ring.js'

/** What is not at rest yet among those that run: owners of a key that differ, or records with others than its owners. */
export function unrestOf(rings: Iterable<readonly [NodeId, Ring]>): string | undefined {
  const members = new Map([...rings].filter(([, { standing }]) => standing === 'member'))
  const [first] = members.values()
  for (const [id, { view }] of members) {
    if (view.unfetched.size > 0) return `${id} has yet to fetch`
    if (view.listDigest !== first?.view.listDigest) return `${id} has another list`
    if (view.foreignRows > 0) return `${id} holds ${view.foreignRows} records for others`
    const [creditor] = view.records.creditors
    if (creditor !== undefined) return `${id} counts records for ${creditor}`
  }
  const keys = new Set([...members.values()].flatMap(({ view }) => view.records.keys('', '', 100_000)))
  const digests = new Map<string, string>()
  for (const key of keys) {
    for (const { id } of first?.owners(key) ?? []) {
      const digest = members.get(id)?.view.records.digest(key) ?? 'nothing, for it does not run'
      if ((digests.get(key) ?? digest) !== digest) return `${id} differs in ${key}`
      digests.set(key, digest)
    }
  }
  return undefined
}
