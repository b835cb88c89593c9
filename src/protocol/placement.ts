/** Which nodes keep a key: one function, for nodes and clients alike, so that both give the same answer. */

/** What placement depends on. Addresses are in full form, in the order in which the nodes joined. */
export interface Topology {
  /** Under consensus every voter keeps every key. */
  readonly voters: readonly string[]
}

/** The addresses of the nodes that keep `key`, in a fixed order. */
export function placementOf(_key: string, topology: Topology): readonly string[] {
  return topology.voters
}
