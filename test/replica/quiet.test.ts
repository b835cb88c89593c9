/** Ticks that a replica need not be told of: the driver lets it sleep through them. */
import { expect } from 'chai'
import { requestId } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import { Trio } from './trio.js'

describe('a consensus replica that is quiet', () => {
  it('has nothing to do before the ticks have passed that it named, whatever was asked before', () => {
    for (let seed = 0; seed < 5; seed++) {
      const random = seededRandom(`quiet ${seed}`)
      const trio = new Trio(1_700_000_000_000)
      const broken: string[] = []
      trio.onBrokenQuiet = ({ address }, did) => broken.push(`${address}: ${did}`)
      trio.leader()
      for (let each = 0; each < 40; each++) {
        const at = random.pick(trio.thirds)
        const key = `key${random.below(4)}`
        const request = random.chance(0.5)
          ? ({ op: 'set', key, value: Buffer.from(String(each)) } as const)
          : ({ op: 'get', key, local: false } as const)
        trio.ask(at, request)
        trio.tick(random.below(12))
      }
      expect(broken).to.deep.equal([])
    }
  })

  it('sleeps from heartbeat to heartbeat where nobody asks anything, and not while somebody waits', () => {
    const trio = new Trio(1_700_000_000_000)
    const leader = trio.leader()
    trio.tick(100)
    const ticks = { leader: 0, others: 0 }
    for (let passed = 0; passed < 100; passed++) {
      for (const one of trio.thirds) {
        if (one === leader) ticks.leader = Math.max(ticks.leader, one.replica.quietTicks)
        else ticks.others = Math.max(ticks.others, one.replica.quietTicks)
      }
      trio.tick(1)
    }
    // A heartbeat comes every 4 ticks, and an election timeout has 20 at least.
    expect(ticks.leader).to.equal(4)
    expect(ticks.others).to.be.above(15)
    for (const one of trio.thirds) one.isCutOff = one === leader
    leader.replica.step({
      kind: 'request',
      id: requestId(1_000_000),
      request: { op: 'set', key: 'k', value: Buffer.from('v') },
    })
    leader.replica.takeEffects()
    expect(leader.replica.quietTicks).to.equal(1)
  })
})
