import { expect } from 'chai'
import { hunt } from './hunting.js'
import { orderedMutants, orderedSwarm } from './ordered-mutants.js'
import { runOrderedSwarm } from './ordered-swarm.js'

/** Seeds of runs that once failed; they always run. */
const remembered: readonly string[] = ['1015', '2419', '2482']
const seedCount = 16
const perTest = 4

describe('the ring with a leader under faults', () => {
  it('stands the runs that once failed', () => {
    for (const seed of remembered) expect(runOrderedSwarm(seed), `seed ${seed}`).to.equal(undefined)
  })

  for (let first = 1; first <= seedCount; first += perTest) {
    it(`denies nothing that was acknowledged, and comes to rest (seeds ${first} to ${first + perTest - 1})`, function () {
      this.timeout(300_000)
      for (let seed = first; seed < first + perTest; seed++) {
        expect(runOrderedSwarm(String(seed)), `node dist/test/ring/ordered-run.js 1 ${seed}`).to.equal(
          undefined,
        )
      }
    })
  }
})

describe('the judge of the ring with a leader', () => {
  for (const mutant of orderedMutants.filter(({ isQuick }) => isQuick)) {
    it(`finds that ${mutant.name}`, async function () {
      this.timeout(300_000)
      const { found } = await hunt(orderedSwarm, mutant, 1)
      expect(found).to.be.a('string')
    })
  }
})
