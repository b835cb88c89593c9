/** Where the documents of a warehouse on the ring are, whatever becomes of the instances. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Client } from '../../src/client/index.js'
import { freePortPair } from '../support/ports.js'
import { stopAll, waitFor } from '../support/processes.js'
import { ringFlags, startWarehouse, WarehouseInstance } from '../support/warehouse.js'

const patienceMs = 60_000

describe('A warehouse of five instances with two copies of each document', () => {
  const flags = [...ringFlags, '--node-timeout=4s']
  const keys = Array.from({ length: 200 }, () => randomUUID())
  let instances: WarehouseInstance[]
  let added: WarehouseInstance
  let client: Client

  before(async () => {
    instances = await startWarehouse(5, flags)
    client = await Client.connect(
      instances.map(({ address }) => address),
      { heartbeatIntervalMs: 100 },
    )
  })
  after(async function () {
    client.close()
    await stopAll.call(this)
  })

  it('has every document on exactly two, and the client knows on which', async () => {
    for (const key of keys)
      expect(await client.set(key, `of ${key}`)).to.include({ existed: false, copies: 2 })
    await expectCopies(instances)
    for (const key of keys) expect(client.placement(key)).to.deep.equal(await client.lookup(key))
  })

  it('has every document on two of the living again, a while after one was killed', async () => {
    const [, victim] = instances
    await victim?.kill()
    const killedAtMs = performance.now()
    await expectCopies(instances.filter(instance => instance !== victim))
    console.log(`      two copies again after ${(performance.now() - killedAtMs).toFixed(0)} ms`)
    await expectValues()
  })

  it('spreads them again when a new instance joins', async () => {
    const { port } = await freePortPair()
    added = new WarehouseInstance(port, [...flags, `--join=${instances[0]?.address}`])
    added.launch()
    const living = [...instances.filter(({ isRunning }) => isRunning), added]
    await expectCopies(living)
    console.log(`      the new one has ${await recordsAt(added)} of ${2 * keys.length} copies`)
    await expectValues()
  })

  it('takes back one that was killed, at the end of the line, and spreads them over all', async () => {
    const [, victim] = instances
    await client.set(keys[0] ?? '', 'changed while it was away')
    victim?.launch()
    await waitFor(
      () => client.nodes.length === 6 && client.nodes.at(-1) === victim?.address,
      patienceMs,
      () => `${victim?.address} to be the last of ${client.nodes}`,
    )
    await expectCopies([...instances, added])
    expect(await victim?.ask(`GET ${keys[0]}`)).to.equal('changed while it was away')
  })

  /** Waits until the documents are where they belong, on these instances and on no other, each as often as it should. */
  async function expectCopies(living: readonly WarehouseInstance[]): Promise<void> {
    const addresses = new Set(living.map(({ address }) => address))
    let shown = ''
    await waitFor(
      async () => {
        const kept = new Map([...addresses].map(address => [address, 0]))
        for (const key of keys) {
          const owners = client.placement(key)
          if (owners.length !== 2 || owners.some(owner => !addresses.has(owner))) {
            shown = `${key} belongs to ${owners}`
            return false
          }
          for (const owner of owners) kept.set(owner, (kept.get(owner) ?? 0) + 1)
        }
        // One that has just joined is given keys once it has fetched its share.
        shown = `of ${[...kept]} each should hold some`
        if ([...kept.values()].includes(0)) return false
        const held = new Map<string, number>()
        for (const instance of living) held.set(instance.address, await recordsAt(instance))
        shown = `they should hold ${[...kept]}, and they hold ${[...held]}`
        return [...kept].every(([address, count]) => held.get(address) === count)
      },
      patienceMs,
      () => `every document to be on two instances: ${shown}`,
    )
  }

  async function expectValues(): Promise<void> {
    for (const key of keys) expect((await client.get(key))?.value).to.equal(`of ${key}`)
  }
})

describe('A warehouse with fewer instances than copies', () => {
  after(stopAll)

  it('warns of that, and takes writes all the same', async () => {
    const [first, second] = await startWarehouse(2, [...ringFlags, '--replication-factor=3'])
    const warnings = ['cluster size (2) is smaller than a replication factor (3)!']
    expect(JSON.parse((await second?.ask('HEARTBEAT')) ?? '')).to.deep.include({
      warnings,
      replicationFactor: 3,
    })
    const key = randomUUID()
    expect(await second?.ask(`SET ${key} v`)).to.equal('Created (2 replicas)')
    expect(await first?.ask(`GET ${key}`)).to.equal('v')
  })
})

/** How many documents an instance holds, deleted ones not counted. */
async function recordsAt(instance: WarehouseInstance): Promise<number> {
  // Ours, and asked for by a field.
  const { records } = JSON.parse(await instance.ask('{"id":1,"op":"count"}')) as { records: number }
  return records
}
