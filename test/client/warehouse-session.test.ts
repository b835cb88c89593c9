/** What the interactive client answers to lines, whatever the instances do. */
import { expect } from 'chai'
import { Client } from '../../src/client/index.js'
import { type Answer, WarehouseSession } from '../../src/client/warehouse-session.js'
import { waitFor } from '../support/wait-for.js'
import { FakeCluster, type FakeNode, refusal } from './fake-node.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'
const patienceMs = 10_000

describe('a session with a warehouse', () => {
  let cluster: FakeCluster
  let node: FakeNode
  let client: Client
  let session: WarehouseSession

  beforeEach(async () => {
    cluster = new FakeCluster()
    node = await cluster.add()
    client = await Client.connect(node.address, {
      heartbeatIntervalMs: 50,
      // What is refused for the moment is asked again until then: long enough to hear so, however busy the machine.
      timeoutMs: 2000,
      unreachableAfterMs: 1,
      followLeader: false,
    })
    session = new WarehouseSession(client)
  })
  afterEach(async () => {
    client.close()
    await cluster.close()
  })

  async function answer(line: string, signal?: AbortSignal): Promise<Answer> {
    const answered = await session.carryOut(Buffer.from(line), signal)
    if (answered === undefined || answered === 'exit') throw new Error(`${line} was answered ${answered}`)
    return answered
  }

  it('checks keys before anybody is asked', async () => {
    expect(await answer('SET 12345 v')).to.deep.equal({
      text: 'Error: Key is not a proper UUID4',
      json: { ok: false, code: 'KEY_NOT_UUID4', definite: true, message: 'Error: Key is not a proper UUID4' },
      isWell: false,
    })
    expect(node.asks('set')).to.deep.equal([])
  })

  it('carries the words out', async () => {
    expect((await answer(`SET ${key} v`)).text).to.equal('Created (2 replicas)')
    expect((await answer(`set ${key.toUpperCase()} w`)).text).to.equal('Updated (2 replicas)')
    expect((await answer(`GET ${key}`)).text).to.equal('w')
    expect((await answer('NODES')).text).to.equal(`Known nodes:\n${node.address}`)
    expect((await answer(`NODES ${key}`)).text).to.equal(node.address)
    expect(JSON.parse((await answer('HEARTBEAT')).text)).to.deep.include({ nodes: [node.address] })
    expect((await answer('STATUS')).text).to.match(/^Leader: none\./)
    expect((await answer('HELP')).text).to.include('SET <key> <value>')
    expect(await session.carryOut(Buffer.from('exit'))).to.equal('exit')
    expect(await session.carryOut(Buffer.from('  '))).to.equal(undefined)
  })

  it('takes it for an answer that there is no such entry', async () => {
    expect(await answer(`GET ${key}`)).to.deep.include({ text: 'Not found', isWell: true })
    node.behaviour = asked => (asked['op'] === 'delete' ? refusal('KEY_NOT_FOUND') : cluster.answer(asked))
    expect(await answer(`DELETE ${key}`)).to.deep.include({ text: 'Not found', isWell: true })
  })

  it('shows whatever can be typed, and of a value that cannot how long it is', async () => {
    await answer(`SET ${key} a\rb`)
    expect(await answer(`GET ${key}`)).to.deep.include({ text: 'a\rb', isWell: true })
    const stored = (fields: object): void => {
      node.behaviour = asked =>
        asked['op'] === 'get' ? { ok: true, key, version: 1, ...fields } : cluster.answer(asked)
    }
    for (const fields of [{ valueBase64: '//4=' }, { value: 'a\n' }, { value: 'a\r' }]) {
      stored(fields)
      expect((await answer(`GET ${key}`)).text).to.equal('Error: the value is not one line of text (2 bytes)')
    }
  })

  for (const [code, definite, set, get] of [
    ['LEADER_UNAVAILABLE', true, 'no majority, nothing was written', 'no majority, nothing was read'],
    ['DISK_FULL', true, 'Disk full. Writes are refused.', 'Disk full. Writes are refused.'],
    ['OUTCOME_UNKNOWN', false, 'outcome unknown, the write may have happened', undefined],
  ] as const) {
    it(`says in its own words: ${code}`, async () => {
      node.behaviour = asked =>
        asked['op'] === 'heartbeat' ? cluster.answer(asked) : refusal(code, definite)
      expect((await answer(`SET ${key} v`)).text).to.equal(`Error: ${set}`)
      if (get !== undefined) expect((await answer(`GET ${key}`)).text).to.equal(`Error: ${get}`)
    })
  }

  for (const [code, set, get] of [
    [
      'ENTRY_UNAVAILABLE',
      'entry unavailable, its replicas are down',
      'entry unavailable, its replicas are down',
    ],
    ['LEADER_UNAVAILABLE', 'no leader, nothing was written', 'no leader, nothing was read'],
  ] as const) {
    it(`says in its own words on the ring: ${code}`, async () => {
      cluster.engine = 'ring'
      node.behaviour = asked => (asked['op'] === 'heartbeat' ? cluster.answer(asked) : refusal(code))
      await waitFor(() => client.engine === 'ring', patienceMs, 'a heartbeat of the ring')
      expect(await answer(`SET ${key} v`)).to.deep.include({ text: `Error: ${set}`, isWell: false })
      expect(await answer(`GET ${key}`)).to.deep.include({ text: `Error: ${get}`, isWell: false })
    })
  }

  it('says that it failed only when every instance is dead, also of a write that was under way', async () => {
    node.behaviour = asked => (asked['op'] === 'set' ? undefined : cluster.answer(asked))
    const underWay = answer(`SET ${key} v`)
    await waitFor(() => node.asks('set').length > 0, patienceMs, 'the write')
    await node.kill()
    const failed = await underWay
    expect(failed.text).to.equal('Failed to write an entry')
    expect(failed.json).to.deep.include({ code: 'OUTCOME_UNKNOWN', definite: false })
    expect((await answer(`GET ${key}`)).text).to.equal('Failed to read an entry')
  })

  it('calls off what is under way, and says that it may have happened', async () => {
    node.behaviour = asked => (asked['op'] === 'set' ? undefined : cluster.answer(asked))
    const controller = new AbortController()
    const underWay = answer(`SET ${key} v`, controller.signal)
    await waitFor(() => node.asks('set').length > 0, patienceMs, 'the write')
    controller.abort()
    expect((await underWay).text).to.equal('Error: outcome unknown, the write may have happened')
  })

  it('keeps the order of the lines of one key, also when one of them is refused for the moment', async () => {
    let refusals = 0
    node.behaviour = asked =>
      asked['value'] === '1' && refusals++ === 0 ? refusal('BUSY') : cluster.answer(asked)
    const other = '4b1a4bd0-2c0c-4c55-9b6c-000000000000'
    await Promise.all([answer(`SET ${key} 1`), answer(`SET ${other} 2`), answer(`SET ${key} 3`)])
    expect(cluster.data.get(key)).to.equal('3')
    expect(cluster.written).to.deep.equal([`set ${other} 2`, `set ${key} 1`, `set ${key} 3`])
  })

  it('completes words, and keys that were used', async () => {
    expect(session.complete('')[0]).to.have.length(8)
    expect(session.complete('s')).to.deep.equal([['SET ', 'STATUS '], 's'])
    expect(session.complete('GET ')).to.deep.equal([[], ''])
    await answer(`GET ${key}`)
    expect(session.complete('delete 0D5d')).to.deep.equal([[key], '0D5d'])
    expect(session.complete('STATUS 0')).to.deep.equal([[], '0'])
    expect(session.complete(`SET ${key} 0d`)[0]).to.deep.equal([])
  })
})
