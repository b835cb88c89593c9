/** What is drawn alike for runs of both engines: their links, their disks, and how often which fault comes. */
import type { Random } from '../../src/base/random.js'
import type { LinkOptions } from './connection.js'
import type { ProcessOptions } from './process.js'

/** One run, as far as it is the same for both engines. Times in milliseconds of true time. */
export interface DrawnRun<Kind, Options> {
  /** Members at the start. */
  readonly nodes: number
  /** Nodes that may be let in later, at most. */
  readonly spares: number
  readonly link: LinkOptions
  readonly node: Options
  /** Clocks gain or lose up to this share. */
  readonly driftMax: number
  /** Mean time between two faults of a kind; a kind that is missing does not happen. */
  readonly faultEveryMs: ReadonlyMap<Kind, number>
  /** How long faults happen. */
  readonly faultsMs: number
  /** Once they have ended, everybody must agree, and everything be at rest, within this time. */
  readonly settleMs: number
}

/** Draws the links of a run; `appendBytesMax` is about the longest line there is. */
export function drawLink(random: Random, electionMs: number, appendBytesMax: number): LinkOptions {
  const lowMs = random.pick([0.05, 0.1, 0.5, 2])
  const highMs = lowMs + random.pick([0.1, 1, 0.02 * electionMs])
  const tailChance = random.pick([0, 0, 0.01, 0.05])
  const tailMs = random.pick([10, 100, electionMs])
  return {
    delay: from => {
      const usualMs = lowMs + (highMs - lowMs) * from.float()
      return from.chance(tailChance) ? usualMs + tailMs * from.float() : usualMs
    },
    loss: random.chance(0.3) ? random.pick([0.001, 0.01, 0.1]) : 0,
    duplication: random.chance(0.3) ? random.pick([0.01, 0.1]) : 0,
    reordering: random.chance(0.3) ? random.pick([0.01, 0.2]) : 0,
    // Room for some of the largest lines, or they would never get through.
    queueBytesMax: random.chance(0.2) ? 10_000 + 3 * appendBytesMax : 8 * 1024 * 1024,
    bytesPerMs: random.chance(0.2) ? random.pick([100, 1000]) : 100_000,
    brokenByCut: random.float(),
    deadAfterMs: random.pick([500, 3000, 15_000]),
  }
}

/** Draws what the disks of a run are like, and how they are used. */
export function drawDisk(random: Random): Omit<ProcessOptions, 'replica'> {
  return {
    segmentBytes: 4096 * random.between(1, 8),
    flushMs: random.pick([
      [0, 0],
      [0.1, 0.5],
      [0.1, 5],
      [1, 30],
    ]),
    checkpointMs: random.pick([
      [0, 0],
      [1, 10],
      [20, 300],
    ]),
    inlineFlushes: random.chance(0.5),
  }
}

/** Draws which of the `kinds` come how often; those that are `rare` take twice as long. */
export function drawFaults<Kind extends string>(
  random: Random,
  kinds: readonly Kind[],
  rare: readonly NoInfer<Kind>[],
): Map<Kind, number> {
  const faults = new Map<Kind, number>()
  const share = random.pick([0, 0.15, 0.3, 0.5])
  for (const kind of kinds) {
    const everyMs = random.pick([200, 600, 2000])
    if (random.chance(share)) faults.set(kind, rare.includes(kind) ? everyMs * 2 : everyMs)
  }
  return faults
}

/** What links lose and confuse, for the log. */
export function describeLink({ loss, duplication, reordering }: LinkOptions): string {
  return `loss ${loss} duplication ${duplication} reordering ${reordering}`
}

/** The faults of a run, for the log. */
export function describeFaults({
  faultEveryMs,
  faultsMs,
}: Pick<DrawnRun<string, unknown>, 'faultEveryMs' | 'faultsMs'>): string {
  const faults = [...faultEveryMs].map(([kind, everyMs]) => `${kind}/${everyMs}`)
  return `faults for ${faultsMs} ms: ${faults.join(' ') || 'none'}`
}
