import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { freshSeeds, knownSeeds, reportFailure } from './report.js'
import { simulate } from './simulation.js'

/** Fresh seeds are tried until this much time has gone by, or so many of them. */
const freshForMs = 40_000
const freshMax = 300

describe('the simulated cluster', () => {
  it('keeps its promises in every run that broke one before', function () {
    this.timeout(60_000)
    for (const seed of knownSeeds()) expectNoViolation(seed)
  })

  it('keeps its promises in runs that nobody has seen before', function () {
    this.timeout(120_000)
    const startedAt = performance.now()
    let operations = 0
    let tried = 0
    for (const seed of freshSeeds(freshMax)) {
      if (performance.now() - startedAt > freshForMs) break
      operations += expectNoViolation(seed)
      tried++
    }
    console.log(`      ${tried} fresh seeds, ${operations} operations judged`)
    expect(operations).to.be.greaterThan(0)
  })

  it('does the same for the same seed, event by event, in two processes', function () {
    this.timeout(30_000)
    const command = fileURLToPath(new URL('./run.js', import.meta.url))
    for (const seed of freshSeeds(3)) {
      const here = simulate(seed)
      const there = execFileSync(process.execPath, [command, '--seed', seed], { encoding: 'utf8' })
      expect(there).to.contain(`log ${here.checksum}`)
      expect(simulate(`${seed}0`).checksum).to.not.equal(here.checksum)
    }
  })
})

/** Returns how many operations the run had. */
function expectNoViolation(seed: string): number {
  const result = simulate(seed)
  if (result.failure !== undefined) throw new Error(reportFailure(result))
  return result.operations
}
