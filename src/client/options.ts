/** How a client behaves, with the defaults in one place, each with its unit and reason. */

/** Whatever is left out has its default from {@link clientDefaults}. Times are in milliseconds. */
export interface ClientOptions {
  /** How long a request may take, everything included, unless it says otherwise. */
  readonly timeoutMs?: number
  /** How often the node is asked for its state, which also shows that it lives. */
  readonly heartbeatIntervalMs?: number
  /** A node that leaves a heartbeat unanswered for so long is given up for another one. */
  readonly silenceMs?: number
  /** How long it may take to connect to one node. */
  readonly connectTimeoutMs?: number
  /** A node from which nothing comes for so long while requests wait is given up. Above its `--request-timeout`. */
  readonly answerWithinMs?: number
  /** Whether to go to the leader when another node takes over; any node will do, at the price of a detour. */
  readonly followLeader?: boolean
  /** When all nodes have been out of reach for so long, requests fail instead of waiting for their deadline. */
  readonly unreachableAfterMs?: number
  /** How many requests may be under way or wait at a time; one more is refused. */
  readonly requestsMax?: number
  /** The same in bytes of what they say. */
  readonly requestBytesMax?: number
}

/** What a single request may say of itself. */
export interface RequestOptions {
  /** How long it may take, in milliseconds. */
  readonly timeoutMs?: number
  /** Calls it off. A write that was under way may have happened all the same. */
  readonly signal?: AbortSignal
}

/** What a read may say of itself on the ring engine. */
export interface ReadOptions extends RequestOptions {
  /** Ring engine: how many copies have to answer, instead of a majority of them. */
  readonly quorum?: number
}

/** What a write may say of itself on the ring engine. */
export interface WriteOptions extends ReadOptions {
  /** Ring engine: what an earlier answer gave; the write replaces the versions that it covers. */
  readonly context?: string
}

/** The defaults, with their reasons. */
export const clientDefaults: Required<ClientOptions> = {
  // An election takes one to two seconds, a node waits five for it; this leaves room for a second attempt.
  timeoutMs: 10_000,
  // A dead process is noticed at once by its closed connection; this is for machines that fall silent.
  heartbeatIntervalMs: 1000,
  // Two heartbeats: a busy node is not taken for a dead one, a silent one is replaced in seconds.
  silenceMs: 2000,
  connectTimeoutMs: 2000,
  // A node answers within its request timeout, five seconds unless changed, be it with an error.
  answerWithinMs: 6000,
  followLeader: true,
  unreachableAfterMs: Number.POSITIVE_INFINITY,
  requestsMax: 10_000,
  requestBytesMax: 64 * 1024 * 1024,
}

/**
 * The longest time that a write may be given: it may be repeated until its end, and the cluster remembers the
 * identities of writes for ten minutes.
 */
export const writeTimeoutMsMax = 300_000

/** The options with their defaults. Throws a `RangeError` for one that makes no sense. */
export function completeOptions(given: ClientOptions): Required<ClientOptions> {
  const options: Required<ClientOptions> = { ...clientDefaults }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(clientDefaults, name)) throw new RangeError(`a client has no option '${name}'`)
    if (value === undefined) continue
    const isSwitch = name === 'followLeader'
    if (isSwitch && typeof value !== 'boolean') {
      throw new RangeError(`${name} must be true or false, not ${value}`)
    }
    if (!isSwitch && !(typeof value === 'number' && value > 0)) {
      throw new RangeError(`${name} must be a number above 0, not ${value}`)
    }
    Object.assign(options, { [name]: value })
  }
  return options
}
