import { expect } from 'chai'
import { MutantProgram, plant } from './mutant-program.js'
import { runSeeds } from './mutant-run.js'
import { type Mutant, mutants } from './mutant-table.js'

/** Every hunt begins with this seed, so that it takes the same way each time; mutants.ts hunts with fresh ones. */
const firstSeed = 1
/** Far more than a hunt takes. */
const patienceMs = 300_000

describe('a planted mistake', () => {
  let program: MutantProgram | undefined
  /** How many runs each hunt took. */
  const tried = new Map<Mutant, number>()

  afterEach(() => {
    program?.remove()
    program = undefined
  })

  for (const mutant of mutants) {
    it(`is found by the promise it breaks: ${mutant.name}`, async function () {
      this.timeout(patienceMs)
      program = new MutantProgram(mutant.edits)
      const run = await program.run(mutant, firstSeed, mutant.seeds)
      tried.set(mutant, run.tried)
      const found = run.findings.find(({ isExpected }) => isExpected)
      const others = run.findings.map(({ seed, failure }) => `seed ${seed}: ${failure}`)
      if (found === undefined) {
        throw new Error(`It survived ${run.tried} runs. ${['All that was found:', ...others].join('\n')}`)
      }
      const [what] = found.failure.split('\n')
      console.log(`      in run ${found.run} of at most ${mutant.seeds}: ${found.checker}: ${what}`)
    })
  }

  it('is what was found: the same runs of the program as it is break no promise', function () {
    this.timeout(patienceMs)
    for (const mutant of mutants) {
      const { findings } = runSeeds(mutant, firstSeed, tried.get(mutant) ?? 1, true)
      const failures = findings.map(({ seed, failure }) => `${mutant.name}, seed ${seed}: ${failure}`)
      expect(failures).to.deep.equal([])
    }
  })

  it('fits the program as it is, in all its pieces', () => {
    for (const { name, edits } of mutants) {
      expect(plant(edits).size, `files changed by: ${name}`).to.be.greaterThan(0)
    }
  })

  it('is refused where the program has changed under it', () => {
    const file = 'src/raft/leader.js'
    const plantTwice = (): unknown => plant([{ file, find: 'function', replace: 'function' }])
    const plantNowhere = (): unknown => plant([{ file, find: 'no such code', replace: '' }])
    expect(plantTwice).to.throw('Adapt the mutant')
    expect(plantNowhere).to.throw('contains 0 times')
  })
})
