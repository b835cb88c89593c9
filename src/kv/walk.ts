/**
 * Operations that walk over all keys, in steps each of which is bounded: many keys take many steps, between which
 * other things are done. What is there during the whole walk is found; what comes or goes meanwhile may be.
 */
import type { ReadOperation, Reply } from '../base/operation.js'
import { Glob } from './glob.js'
import { togetherBytesMax } from './operations.js'
import { cursorOf, type ScanCursors } from './scan-cursors.js'
import type { WalkStep } from './table.js'

/** An operation that walks. */
export type WalkOperation = Extract<ReadOperation, { op: 'keys' | 'scan' | 'randomkey' }>

/** What came of a step. */
export type Walked =
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly reply: Reply }
  | { readonly kind: 'too-large'; readonly limit: number }

/** A walk under way. */
export interface Walk {
  step(): Walked
}

/** What a walk walks over. */
export interface WalkGround {
  /** As in the table, without the keys that have expired. */
  walk(after: string, visitsMax: number): WalkStep
  readonly cursors: ScanCursors
  /** A number below `count`, at random. */
  pick(count: number): number
}

/** Places that are visited in one step. */
const visitsPerStep = 1000
/** Comparisons of bytes in one step, about. */
const comparisonsPerStep = 4_000_000

/** Whether an operation walks. */
export function isWalk(operation: ReadOperation): operation is WalkOperation {
  return operation.op === 'keys' || operation.op === 'scan' || operation.op === 'randomkey'
}

/** Begins to carry out an operation that walks. */
export function beginWalk(operation: WalkOperation, ground: WalkGround): Walk {
  switch (operation.op) {
    case 'keys':
      return new KeysWalk(operation.pattern, ground)
    case 'scan':
      return new ScanWalk(operation, ground)
    case 'randomkey':
      return { step: () => pickKey(ground) }
  }
}

class KeysWalk implements Walk {
  readonly #ground: WalkGround
  readonly #glob: Glob
  readonly #found: string[] = []
  #bytes = 0
  #after: string | undefined = ''

  constructor(pattern: string, ground: WalkGround) {
    this.#ground = ground
    this.#glob = new Glob(pattern)
  }

  step(): Walked {
    const { matching, next } = page(this.#ground, this.#glob, this.#after ?? '', visitsPerStep)
    for (const key of matching) {
      this.#found.push(key)
      this.#bytes += key.length
    }
    this.#after = next
    if (this.#bytes > togetherBytesMax) return { kind: 'too-large', limit: togetherBytesMax }
    return next === undefined ? { kind: 'done', reply: listOf(this.#found) } : { kind: 'more' }
  }
}

class ScanWalk implements Walk {
  readonly #operation: Extract<WalkOperation, { op: 'scan' }>
  readonly #ground: WalkGround
  /** How far the key of the cursor was looked for. */
  #searchedTo: string | undefined = ''

  constructor(operation: Extract<WalkOperation, { op: 'scan' }>, ground: WalkGround) {
    this.#operation = operation
    this.#ground = ground
  }

  step(): Walked {
    const { cursor, count, pattern, isOfType } = this.#operation
    const after = this.#position(cursor)
    if (after === undefined) return { kind: 'more' }
    const { matching, next } = page(this.#ground, new Glob(pattern), after, Math.min(count, visitsPerStep))
    const following = next === undefined ? '0' : this.#ground.cursors.cursorBehind(next)
    return {
      kind: 'done',
      reply: { kind: 'list', items: [bytesOf(following), listOf(isOfType ? matching : [])] },
    }
  }

  /** The key behind which to go on; undefined while it is still looked for. */
  #position(cursor: string): string | undefined {
    if (/^0+$/.test(cursor)) return ''
    const known = this.#ground.cursors.keyOf(cursor)
    if (known !== undefined) return known
    if (this.#searchedTo === undefined) return ''
    const { keys, next } = this.#ground.walk(this.#searchedTo, visitsPerStep)
    this.#searchedTo = next
    const found = keys.find(key => cursorOf(key) === cursor)
    if (found !== undefined) return found
    return next === undefined ? '' : undefined
  }
}

/**
 * Some key. It is picked from a few hundred neighbours, others each time: to pick from all with equal chances,
 * their places would have to be counted with every write.
 */
function pickKey(ground: WalkGround): Walked {
  let after: string | undefined = ground.cursors.pickedTo
  for (let pages = 0; pages < 3; pages++) {
    const { keys, next }: WalkStep = ground.walk(after ?? '', neighbours)
    ground.cursors.pickedTo = next ?? ''
    const key = keys.length === 0 ? undefined : keys[ground.pick(keys.length)]
    if (key !== undefined) return { kind: 'done', reply: bytesOf(key) }
    if (next === undefined && after === '') return { kind: 'done', reply: { kind: 'nil' } }
    after = next ?? ''
  }
  // Only places of removed keys so far.
  return { kind: 'more' }
}

const neighbours = 256

/** The matching keys of about `visits` places behind `after`; fewer where comparing them takes long. */
function page(
  ground: WalkGround,
  glob: Glob,
  after: string,
  visits: number,
): { readonly matching: readonly string[]; readonly next: string | undefined } {
  const { keys, next } = ground.walk(after, visits)
  const matching: string[] = []
  let comparisons = 0
  for (const [position, key] of keys.entries()) {
    if (glob.matches(key)) matching.push(key)
    comparisons += glob.comparisons(key)
    if (comparisons > comparisonsPerStep && position + 1 < keys.length) return { matching, next: key }
  }
  return { matching, next }
}

function listOf(keys: readonly string[]): Reply {
  return { kind: 'list', items: keys.map(bytesOf) }
}

function bytesOf(text: string): Reply {
  return { kind: 'bytes', value: Buffer.from(text) }
}
