/**
 * A ring of six real processes and a network that is divided and made whole again: what the leaderless engine
 * promises when nodes cannot hear each other.
 */
import { expect } from 'chai'
import { stopAll, waitFor } from '../support/processes.js'
import { patienceMs } from './cluster-state.js'
import { hasOuterHost } from './divisible-network.js'
import { contextOf, type Found, RingLab, type RingNode, read, type } from './ring-lab.js'

describe('A ring of six nodes', () => {
  const lab = new RingLab()
  let keys = 0

  before(async function () {
    if (!(await hasOuterHost())) {
      console.log('      skipped: this machine has one loopback address only')
      this.skip()
    }
    await lab.start(6)
  })
  afterEach(() => lab.heal())
  after(async function () {
    await stopAll.call(this)
    await lab.network.close()
  })

  /** A key that no test has used, its three owners, and the three others. */
  async function freshKey(prefix = 'key'): Promise<{
    readonly key: string
    readonly owners: readonly [RingNode, RingNode, RingNode]
    readonly others: readonly [RingNode, RingNode, RingNode]
  }> {
    const key = `${prefix}${++keys}`
    const { owners, others } = await lab.ownersOf(key)
    const [a, b, c] = owners
    const [x, y, z] = others
    if (!(a && b && c && x && y && z)) throw new Error(`${key} has three owners of six nodes`)
    return { key, owners: [a, b, c], others: [x, y, z] }
  }

  /** Waits until every node finds the same, and gives that. */
  async function agreedBy(nodes: readonly RingNode[], key: string, expected: string[]): Promise<Found> {
    for (const node of nodes) {
      await waitFor(
        async () => String((await read(node, key))?.values) === String(expected),
        patienceMs,
        `${node.address} to find ${expected} under ${key}`,
      )
    }
    const found = await Promise.all(nodes.map(node => read(node, key)))
    const [first] = found
    if (first === undefined) throw new Error(`${key} is found`)
    for (const one of found) expect(one).to.deep.equal(first)
    return first
  }

  /** Everybody alone. */
  const isolateAll = () => lab.divide(...lab.nodes.map(node => [node]))

  it('puts and gets through owners and others, and replaces what a context covers', async () => {
    const { key, owners, others } = await freshKey()
    const [put] = await type(owners[0], `put ${key} one`)
    expect(put).to.match(new RegExp(`^SUCCESS: ${key} -> one added\\. Context: \\S+$`))
    for (const node of lab.nodes) expect(await type(node, `get ${key}`)).to.deep.equal([`${key} -> one`])
    const [shown] = await type(others[0], `get --context ${key}`)
    expect(shown).to.equal(`${key} -> one Context: ${contextOf(put)}`)
    const [replaced] = await type(others[1], `put --context ${contextOf(shown)} ${key} two`)
    expect(replaced).to.match(/^SUCCESS/)
    for (const node of lab.nodes) expect(await type(node, `get ${key}`)).to.deep.equal([`${key} -> two`])
    const [blind] = await type(others[2], `put ${key} three`)
    expect(blind).to.match(new RegExp(`^CONFLICT: ${key} has 2 versions\\. Context: \\S+$`))
    const { context } = await agreedBy(lab.nodes, key, ['three', 'two'])
    expect((await type(owners[2], `put --context ${context} ${key} four`))[0]).to.match(/^SUCCESS/)
    await agreedBy(lab.nodes, key, ['four'])
  })

  it('has a write of quorum 3 on each of its three owners', async () => {
    const { key, owners } = await freshKey()
    expect((await type(owners[1], `put --quorum 3 ${key} all`))[0]).to.match(/^SUCCESS/)
    isolateAll()
    for (const owner of owners) {
      expect(await type(owner, `get --quorum 1 ${key}`), owner.address).to.deep.equal([`${key} -> all`])
    }
  })

  it('gives the new value to a quorum read through a stale owner, and repairs it', async () => {
    const { key, owners } = await freshKey()
    const [a, , stale] = owners
    await type(a, `put --quorum 3 ${key} old`)
    lab.divide(
      lab.nodes.filter(node => node !== stale),
      [stale],
    )
    expect((await type(a, `set --quorum 2 ${key} new`))[0]).to.match(/^SUCCESS/)
    expect(await type(stale, `get --quorum 1 ${key}`)).to.deep.equal([`${key} -> old`])
    await lab.heal()
    expect(await type(stale, `get --quorum 2 ${key}`)).to.deep.equal([`${key} -> new`])
    isolateAll()
    expect(await type(stale, `get --quorum 1 ${key}`)).to.deep.equal([`${key} -> new`])
  })

  it('keeps three versions that three isolated owners took with quorum 1', async () => {
    const { key, owners } = await freshKey()
    isolateAll()
    for (const [at, owner] of owners.entries()) {
      const [reply] = await type(owner, `put --quorum=1 ${key} from${at}`)
      expect(reply, owner.address).to.match(/^SUCCESS/)
    }
    await lab.heal()
    await agreedBy(lab.nodes, key, ['from0', 'from1', 'from2'])
    const [first = '', ...versions] = await type(owners[0], `get ${key}`)
    expect(first).to.match(new RegExp(`^CONFLICT: ${key} has 3 versions\\. Context: \\S+$`))
    expect(versions.sort()).to.deep.equal([0, 1, 2].map(at => `${key} -> from${at}`))
  })

  it('reaches a quorum of 3 by a stand-in for an owner that is away, which gets the write when it is back', async () => {
    const { key, owners } = await freshKey()
    const [a, , away] = owners
    const others = lab.nodes.filter(node => node !== away)
    lab.divide(others, [away])
    expect((await type(a, `put --quorum 3 ${key} held`))[0]).to.match(/^SUCCESS/)
    const holders = await Promise.all(others.map(node => type(node, 'status --verbose')))
    const held = holders.filter(lines => lines.some(line => /^Hints Here: [1-9]/.test(line)))
    expect(held.length, 'nodes that keep something for others').to.be.at.least(1)
    await lab.heal()
    isolateAll()
    expect(await type(away, `get --quorum 1 ${key}`)).to.deep.equal([`${key} -> held`])
  })

  it('lets a client who reaches no owner write with quorum 2 and read it back', async () => {
    const { key, owners, others } = await freshKey()
    lab.divide(owners, others)
    expect((await type(others[0], `put --quorum 2 ${key} aside`))[0]).to.match(/^SUCCESS/)
    for (const node of others) {
      expect(await type(node, `get --quorum 2 ${key}`), node.address).to.deep.equal([`${key} -> aside`])
    }
    await lab.heal()
    await agreedBy(lab.nodes, key, ['aside'])
  })

  it('keeps exactly both versions that clients wrote on the two sides of a division', async () => {
    const { key, owners, others } = await freshKey()
    const [put] = await type(owners[0], `put --quorum 3 ${key} before`)
    const [a, b, c] = owners
    const [x, y, z] = others
    lab.divide([a, x, y], [b, c, z])
    for (const [node, value] of [
      [a, 'left'],
      [z, 'right'],
    ] as const) {
      const [reply] = await type(node, `put --context ${contextOf(put)} ${key} ${value}`)
      expect(reply, node.address).to.match(/^SUCCESS/)
    }
    await lab.heal()
    await agreedBy(lab.nodes, key, ['left', 'right'])
  })

  it('merges a shopping cart that was filled on both sides', async () => {
    const { key, owners, others } = await freshKey('cart')
    const [a, b, c] = owners
    const [x, y, z] = others
    const [put] = await type(a, `put --quorum 3 ${key} milk`)
    lab.divide([a, x, y], [b, c, z])
    await type(x, `put --context ${contextOf(put)} ${key} milk,bread`)
    await type(z, `put --context ${contextOf(put)} ${key} milk,eggs`)
    await lab.heal()
    const found = await agreedItems(lab.nodes, key, ['bread', 'eggs', 'milk'])
    expect(new Set(found).size, 'different answers').to.equal(1)
  })

  it('says that a quorum is not met, and answers quorum 1, on a node that is all by itself', async () => {
    const { key, owners } = await freshKey()
    isolateAll()
    const [reply] = await type(owners[0], `put ${key} value`)
    expect(reply).to.equal('ERROR: Quorum not met (1 of 2).')
    expect(await type(owners[0], `get ${key}`)).to.deep.equal(['ERROR: Quorum not met (1 of 2).'])
    expect((await type(owners[0], `set --quorum=1 ${key} mine`))[0]).to.match(/^(SUCCESS|CONFLICT)/)
    // It knows by now that nobody hears it, so it did nothing, and says so.
    const answer = await type(owners[0], `{"id":1,"op":"put","key":"${key}","value":"v"}`)
    expect(JSON.parse(answer[0] ?? '')).to.include({ ok: false, code: 'QUORUM_UNREACHABLE', definite: true })
  })

  /** Waits until every node finds one value of these items, in whatever order; gives what each said. */
  async function agreedItems(nodes: readonly RingNode[], key: string, items: string[]): Promise<string[]> {
    const said: string[] = []
    for (const node of nodes) {
      const value = await waitFor(
        async () => {
          const [only, ...more] = (await read(node, key))?.values ?? []
          if (only === undefined || more.length > 0) return undefined
          return String(only.split(',').sort()) === String(items) ? only : undefined
        },
        patienceMs,
        `${node.address} to find ${items} under ${key}`,
      )
      said.push(value)
    }
    return said
  }
})
