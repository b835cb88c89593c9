import { expect } from 'chai'
import { hunt } from './hunting.js'
import { ringMutants, ringSwarm } from './mutants.js'
import { runSwarm } from './swarm.js'

/** Seeds of runs that once failed; they always run. */
const remembered: readonly string[] = ['20014', '20246', '30700']
const seedCount = 100
const perTest = 20

describe('the ring under faults', () => {
  it('stands the runs that once failed', () => {
    for (const seed of remembered) expect(runSwarm(seed), `seed ${seed}`).to.equal(undefined)
  })

  for (let first = 1; first <= seedCount; first += perTest) {
    it(`loses nothing, brings nothing back and comes to rest (seeds ${first} to ${first + perTest - 1})`, function () {
      this.timeout(300_000)
      for (let seed = first; seed < first + perTest; seed++) {
        expect(runSwarm(String(seed)), `node dist/test/ring/run.js 1 ${seed}`).to.equal(undefined)
      }
    })
  }
})

describe('the judge of the ring', () => {
  for (const mutant of ringMutants.filter(({ isQuick }) => isQuick)) {
    it(`finds that ${mutant.name}`, async function () {
      this.timeout(300_000)
      const { found } = await hunt(ringSwarm, mutant, 1)
      expect(found).to.be.a('string')
    })
  }
})
