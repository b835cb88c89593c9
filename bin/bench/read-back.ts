/** Reads back what was acknowledged: a rate of writes that are lost is worth nothing. */
import type { Dialect } from './dialects.js'
import { Ledger } from './ledger.js'
import { Load } from './load.js'

/** What was found. */
export interface ReadBackReport {
  readonly sampled: number
  /** Names of keys that do not hold what was acknowledged. */
  readonly missing: readonly string[]
  /** How many keys no answer was got for. */
  readonly unread: number
  /** Keys with a write of unknown outcome, which are not in the sample. */
  readonly doubted: number
}

const clientsMax = 8
const pipeline = 16
/** Reads that were refused are tried again so often. */
const attempts = 5
/** One attempt takes no longer, though a target be gone. */
const attemptSeconds = 60

/** Reads a sample of at most `most` keys. */
export async function readBack(
  ledger: Ledger,
  dialect: Dialect,
  targets: readonly string[],
  most: number,
): Promise<ReadBackReport> {
  const sample = ledger.sample(most)
  const missing: string[] = []
  let left = new Set(sample)
  for (let attempt = 0; attempt < attempts && left.size > 0; attempt++) {
    const waiting = [...left]
    const unread = new Set(left)
    const load = new Load({
      targets,
      clients: Math.min(clientsMax, waiting.length),
      pipeline,
      dialect,
      ledger,
      seconds: attemptSeconds,
      choose: () => {
        const key = waiting.pop()
        return key === undefined ? undefined : { key, isRead: true }
      },
      onValue: (key, value) => {
        unread.delete(key)
        if (!ledger.mayHold(key, value)) missing.push(Ledger.keyName(key))
      },
    })
    try {
      await load.connect()
      await load.run()
    } catch {
      // A target is gone: what could not be read is counted.
    } finally {
      load.close()
    }
    left = unread
  }
  return { sampled: sample.length, missing: missing.sort(), unread: left.size, doubted: ledger.doubted }
}
