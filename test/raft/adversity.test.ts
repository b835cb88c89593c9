import { Adversity } from './adversity.js'

/** `SEED=12` repeats that one alone; `SEEDS=1000` tries so many. */
const only = process.env['SEED']
const seeds =
  only === undefined
    ? Array.from({ length: Number(process.env['SEEDS'] ?? 40) }, (_, seed) => `${seed}`)
    : [only]

describe('a cluster to which anything happens', () => {
  it('keeps what it promised, and agrees once the troubles are over', () => {
    for (const seed of seeds) {
      const adversity = new Adversity(seed)
      try {
        adversity.run(1200)
        adversity.recover()
      } catch (error) {
        throw new Error(`SEED=${seed}: ${String(error)}\n${adversity.history}`, { cause: error })
      }
    }
  })
})
