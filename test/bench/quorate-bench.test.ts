import { expect } from 'chai'
import { startNode, startProgram, stopAll, type TestNode } from '../support/processes.js'
import { type FakeDatabase, fakeDatabase } from './fake-database.js'

interface Output {
  readonly stages: readonly {
    readonly operations: number
    readonly latencyMs: {
      readonly p50: number
      readonly p99: number
      readonly p999: number
      readonly max: number
    }
    readonly errors: Readonly<Record<string, number>>
    readonly servers: readonly { readonly pid: number; readonly residentBytes: number }[]
    readonly ownCpuShare: number
  }[]
  readonly readBack: { readonly sampled: number; readonly missing: readonly string[] }
}

/** Two stages, a second each. */
const short = ['--clients=1,3', '--pipeline=4', '--seconds=1', '--keys=200']

const shortest = ['--clients=3', '--pipeline=4', '--seconds=1', '--keys=200']

describe('quorate-bench', () => {
  let node: TestNode
  let database: FakeDatabase | undefined

  before(async () => {
    node = await startNode()
  })

  afterEach(async () => {
    await database?.close()
    database = undefined
  })

  after(stopAll)

  for (const dialect of ['text', 'json']) {
    it(`${dialect}: measures a node and finds again what it wrote`, async () => {
      const flags = [`--target=${node.address}`, `--dialect=${dialect}`, '--reads=50', '--json', ...short]
      const program = startProgram('quorate-bench', flags)
      const { code } = await program.exited
      expect(code, program.output).to.equal(0)
      const output: Output = JSON.parse(program.output)
      expect(output.stages).to.have.length(2)
      for (const { operations, latencyMs, errors, servers, ownCpuShare } of output.stages) {
        expect(operations).to.be.at.least(1)
        expect(latencyMs.p50).to.be.greaterThan(0)
        const { p50, p99, p999, max } = latencyMs
        expect([p50, p99, p999, max]).to.deep.equal([p50, p99, p999, max].sort((one, other) => one - other))
        expect(errors).to.deep.equal({})
        expect(ownCpuShare).to.be.greaterThan(0)
        if (process.platform === 'linux') {
          expect(servers.map(({ pid }) => pid)).to.deep.equal([node.process.pid])
          expect(servers[0]?.residentBytes).to.be.greaterThan(1_000_000)
        }
      }
      expect(output.readBack).to.deep.include({ sampled: 200, missing: [] })
    })
  }

  it('prints a table for people', async () => {
    const flags = [`--target=${node.address}`, '--aim=leader', ...short]
    const program = startProgram('quorate-bench', flags)
    expect((await program.exited).code, program.output).to.equal(0)
    const [head, ...lines] = program.output.split('\n')
    expect(head).to.match(/clients +pipeline +reads +requests\/s +p50 ms +p99 ms +p99\.9 ms +max ms/)
    expect(lines[0]).to.match(/^ +1 +4 +0%/)
    expect(lines[1]).to.match(/^ +3 +4 +0%/)
    expect(program.output).to.match(/Read back \d+ keys: all hold what was acknowledged\./)
  })

  it('fails when what was acknowledged is not there', async () => {
    database = await fakeDatabase({ forgets: write => write % 2 === 0 })
    const program = startProgram('quorate-bench', [`--target=${database.address}`, ...shortest])
    expect((await program.exited).code, program.output).to.equal(1)
    expect(program.output).to.match(/do not hold what was acknowledged \(key\d{9}/)
    expect(program.output).to.include('quorate-bench: what was acknowledged is not there.')
  })

  it('fails when every request is refused', async () => {
    database = await fakeDatabase({ refuses: () => 'ERROR: Disk full. Writes are refused.' })
    const program = startProgram('quorate-bench', [`--target=${database.address}`, ...shortest])
    expect((await program.exited).code, program.output).to.equal(1)
    expect(program.output).to.include('Disk full. Writes are refused.')
    expect(program.output).to.include('quorate-bench: nothing was done.')
  })

  for (const [flags, complaint] of [
    [['--clients=100', '--keys=99'], 'there must be as many keys as clients'],
    [['--clients=1,x'], "--clients: '1,x' is not a list of whole numbers from 1 to 4096, such as 1,16,64."],
    [['--client=1'], "Unknown flag '--client'. Did you mean --clients?"],
    [['--dialect=jsn'], 'Did you mean json?'],
    [['--value-bytes=3'], "--value-bytes: '3' is not a whole number from 20 to 1000000."],
  ] as const) {
    it(`refuses ${flags.join(' ')}`, async () => {
      const program = startProgram('quorate-bench', flags)
      expect((await program.exited).code, program.output).to.equal(2)
      expect(program.output).to.include(complaint)
    })
  }

  it('fails where nobody listens', async () => {
    database = await fakeDatabase()
    const { address } = database
    await database.close()
    database = undefined
    const program = startProgram('quorate-bench', [`--target=${address}`])
    expect((await program.exited).code, program.output).to.equal(1)
    expect(program.output).to.include(`cannot connect to ${address}`)
  })

  it('does not guess who leads', async () => {
    database = await fakeDatabase()
    const program = startProgram('quorate-bench', [`--target=${database.address}`, '--aim=leader'])
    expect((await program.exited).code, program.output).to.equal(1)
    expect(program.output).to.include('none of the targets is known to lead')
  })
})
