import { freshSeeds, reportFailure } from './report.js'
import { simulate } from './simulation.js'
import { redisSeeds } from './swarm.js'

/** Fresh seeds are tried until this much time has gone by, or so many of them. */
const freshForMs = 8000
const freshMax = 60

describe('the simulated cluster, asked by Redis clients', () => {
  it('keeps its promises, and lets keys expire once and for all, whatever its clocks say', function () {
    this.timeout(90_000)
    const startedAt = performance.now()
    let operations = 0
    let tried = 0
    for (const seed of freshSeeds(freshMax)) {
      if (performance.now() - startedAt > freshForMs) break
      const result = simulate(`${redisSeeds}${seed}`)
      if (result.failure !== undefined) throw new Error(reportFailure(result))
      operations += result.operations
      tried++
    }
    console.log(`      ${tried} fresh seeds, ${operations} operations judged`)
  })
})
