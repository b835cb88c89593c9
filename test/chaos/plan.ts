/** What one round of chaos is to be: made by run.ts, which owns the hosts, and carried out by round.ts. */

/** Families of faults that can be asked for. */
export const families = ['kill', 'pause', 'partition', 'slow'] as const

/** One of {@link families}. */
export type Family = (typeof families)[number]

/** A host of its own: a network namespace with one address. */
export interface PlannedHost {
  readonly name: string
  readonly address: string
  readonly namespace: string
}

/** Everything that a round depends on, apart from the machine. */
export interface RoundPlan {
  readonly seed: string
  readonly seconds: number
  readonly families: readonly Family[]
  /** Where nodes keep their data, and where the history and the logs go. */
  readonly directory: string
  /** One for each node. */
  readonly hosts: readonly PlannedHost[]
  /** Where the clients are, and the round itself. */
  readonly clientHost: PlannedHost
}

/** The families that `--faults` names, separated by commas; `mix` is all of them. Undefined if one is none. */
export function parseFamilies(text: string): readonly Family[] | undefined {
  const named = text.split(',').flatMap(word => (word === 'mix' ? families : [word]))
  const known = families.filter(family => named.includes(family))
  return named.every(name => known.some(family => family === name)) ? known : undefined
}

/** The command that runs a host's program on it. */
export function through(host: PlannedHost): readonly string[] {
  return ['ip', 'netns', 'exec', host.namespace]
}
