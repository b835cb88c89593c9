/** What instances of a warehouse on the ring say and how they end, when things are not as they should be. */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Client } from '../../src/client/index.js'
import { freePort, freePortPair } from '../support/ports.js'
import { startProgram, stopAll, textClient } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { ringFlags, startWarehouse, WarehouseInstance } from '../support/warehouse.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'

describe('An instance of a warehouse on the ring', () => {
  let instance: WarehouseInstance

  before(async () => {
    const [first] = await startWarehouse(1, [])
    if (first === undefined) throw new Error('one was asked for')
    instance = first
  })
  after(stopAll)

  it('speaks its words with netcat, one line for one line', function () {
    requires(this, 'nc')
    const document = `'{"name": "Chapayev's Mustache comb"}'`
    const lines: readonly (readonly [string, string | RegExp])[] = [
      [`SET 12345 ${document}`, 'Error: Key is not a proper UUID4'],
      [`SET ${key} ${document}`, 'Created (1 replica)'],
      [`GET ${key}`, document],
      [`get ${key.toUpperCase()}`, document],
      [`SET ${key.toUpperCase()}   spaces "stay" `, 'Updated (1 replica)'],
      [`GET ${key}`, '  spaces "stay" '],
      [`DELETE ${key}`, 'Deleted (1 replica)'],
      [`DELETE ${key}`, 'Not found'],
      [`GET ${key}`, 'Not found'],
      ['GET', 'Error: invalid command'],
      ['put key1 value1', 'Error: unknown command'],
      ['NODES', instance.address],
      [`NODES ${key}`, instance.address],
      ['HEARTBEAT', /^\{"engine":"ring","nodes":\["127\.0\.0\.1:\d+"\],.*"replicationFactor":2,/],
      ['STATUS', `Leader: ${instance.address}. Known nodes: ${instance.address}. All nodes in sync.`],
      ['HELP', /^Commands: SET <key> <value>, GET <key>, .* EXIT$/],
      ['EXIT', ''],
    ]
    const input = lines.map(([line]) => `${line}\n`).join('')
    const words = ['-N', '127.0.0.1', String(instance.port)]
    const { stdout } = spawnSync('nc', words, { input, encoding: 'utf8', timeout: 20_000 })
    const answers = stdout.split('\n')
    expect(answers).to.have.length(lines.length)
    for (const [at, [line, answer]] of lines.entries()) {
      if (typeof answer === 'string') expect(answers[at], line).to.equal(answer)
      else expect(answers[at], line).to.match(answer)
    }
  })

  it('warns that there are fewer instances than copies', async () => {
    const warnings = ['cluster size (1) is smaller than a replication factor (2)!']
    expect(JSON.parse(await instance.ask('HEARTBEAT'))).to.deep.include({
      warnings,
      leader: instance.address,
    })
  })

  it('answers programs with one version of a key, and refuses what belongs to several', async () => {
    const client = await textClient(instance.address)
    const ask = async (request: object): Promise<unknown> =>
      JSON.parse(await client.ask(JSON.stringify(request)))
    const uuid = randomUUID()
    const put = { id: 1, op: 'put', key: uuid.toUpperCase(), value: 'one' }
    expect(await ask(put)).to.deep.include({ id: 1, ok: true, copies: 1 })
    expect(await ask({ ...put, id: 2 })).to.deep.include({ id: 2, ok: false, code: 'KEY_EXISTS' })
    expect(await ask({ id: 3, op: 'update', key: uuid, value: 'two' })).to.deep.include({ ok: true })
    expect(await ask({ id: 4, op: 'get', key: uuid })).to.deep.include({ key: uuid, value: 'two' })
    expect(await ask({ id: 5, op: 'update', key: randomUUID(), value: 'x' })).to.deep.include({
      code: 'KEY_NOT_FOUND',
    })
    expect(await ask({ id: 6, op: 'get', key: uuid, quorum: 1 })).to.deep.include({ code: 'UNKNOWN_OPTION' })
    expect(await ask({ id: 7, op: 'set', key: uuid, value: 'x', context: 'c' })).to.deep.include({
      code: 'UNKNOWN_OPTION',
    })
    expect(await ask({ id: 7, op: 'get', key: uuid, context: true })).to.deep.include({
      code: 'UNKNOWN_OPTION',
    })
    expect(JSON.stringify(await ask({ id: 7, op: 'help' }))).to.not.match(/--quorum|--context/)
    expect(await ask({ id: 8, op: 'get', key: 'key1' })).to.deep.include({ code: 'KEY_NOT_UUID4' })
    expect(await ask({ id: 9, op: 'keys' })).to.deep.include({ code: 'ENGINE_MISMATCH' })
    client.close()
  })

  it('carries a named write out once, and tells its first result to whoever repeats it', async () => {
    const client = await textClient(instance.address)
    const ask = async (request: object): Promise<unknown> =>
      JSON.parse(await client.ask(JSON.stringify(request)))
    const uuid = randomUUID()
    const write = { id: 1, op: 'put', key: uuid, value: 'v', request: randomUUID() }
    const first = await ask(write)
    expect(first).to.deep.include({ ok: true, existed: false })
    expect(await ask(write)).to.deep.equal(first)
    client.close()
  })

  it('takes GET, SET and DEL of Redis clients, under keys that are UUID4', async () => {
    const redis = new Redis({ port: instance.port, lazyConnect: true, maxRetriesPerRequest: 0 })
    await redis.connect()
    try {
      const uuid = randomUUID()
      expect(await redis.set(uuid.toUpperCase(), 'of Redis')).to.equal('OK')
      expect(await redis.get(uuid)).to.equal('of Redis')
      expect(await redis.del(uuid, randomUUID())).to.equal(1)
      expect(await redis.get(uuid)).to.equal(null)
      expect(await reasonOf(redis.set('key1', 'v'))).to.equal('ERR Key is not a proper UUID4.')
    } finally {
      redis.disconnect()
    }
  })

  it('is not joined by one with another replication factor, which says both and ends with exit code 1', async () => {
    const flags = ['--replication-factor=3', `--join=${instance.address}`]
    const other = new WarehouseInstance((await freePortPair()).port, flags)
    other.launch()
    expect(await other.process.waitForExit()).to.deep.include({ code: 1 })
    expect(other.process.output).to.include(
      'it was started with --replication-factor 3, and this cluster has 2.',
    )
    expect(await instance.ask('NODES')).to.equal(instance.address)
    expect(await instance.ask('HEARTBEAT')).to.include(`"nodes":["${instance.address}"]`)
  })

  it('is not joined by an instance on consensus, nor by a plain node of the ring', async () => {
    const consensus = new WarehouseInstance((await freePortPair()).port, [
      '--engine=raft',
      `--join=${instance.address}`,
    ])
    consensus.launch()
    expect(await consensus.process.waitForExit()).to.deep.include({ code: 1 })
    expect(consensus.process.output).to.include('it runs the raft engine, and this cluster the ring engine.')
    const { port, peerPort } = await freePortPair()
    const place = [`--port=${port}`, `--peer-port=${peerPort}`, `--data-dir=${instance.dataDirectory}-plain`]
    const plain = startProgram('quorate', ['--engine=ring', ...place, `--join=${instance.address}`])
    expect(await plain.waitForExit()).to.deep.include({ code: 1 })
    expect(plain.output).to.include('it was started as quorate, and this cluster is one of warehouse.')
  })

  it('says that its port is in use, and ends with exit code 1', async () => {
    const { peerPort } = await freePortPair()
    const place = [`--peer-port=${peerPort}`, `--data-dir=${instance.dataDirectory}2`]
    const other = startProgram('warehouse', [`--port=${instance.port}`, ...place])
    expect(await other.waitForExit()).to.deep.include({ code: 1 })
    expect(other.output).to.include(`cannot listen on 127.0.0.1:${instance.port}: the port is in use`)
  })

  it('says that it cannot listen where there is no such host or address, and ends with exit code 1', async () => {
    for (const [host, why] of [
      ['no-such-host.invalid', /cannot listen on no-such-host\.invalid:\d+: there is no host of that name/],
      // Of those that are kept for documentation.
      ['192.0.2.1', /cannot listen on 192\.0\.2\.1:\d+: this machine has no such address/],
    ] as const) {
      const { port } = await freePortPair()
      const place = [`--port=${port}`, `--data-dir=${instance.dataDirectory}-${port}`]
      const other = startProgram('warehouse', [...place, `--host=${host}`])
      expect(await other.waitForExit()).to.deep.include({ code: 1 })
      expect(other.output).to.match(why)
    }
  })

  it('waits for a seed that is dead or does not resolve, says so, and stops well when told to', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    for (const [seed, why] of [
      [dead, `waiting for ${dead} (${dead} could not be reached: nothing listens there.)`],
      ['no-such-host.invalid:8765', 'waiting for no-such-host.invalid:8765 (no-such-host.invalid:8765 could'],
    ] as const) {
      const { port } = await freePortPair()
      const place = [`--port=${port}`, `--data-dir=${instance.dataDirectory}-${port}`]
      const other = startProgram('warehouse', [...place, `--join=${seed}`])
      await other.waitForOutput(why)
      expect(await other.stop()).to.deep.include({ code: 0 })
    }
  })
})

describe('Two instances of a warehouse on the ring that were told to join each other', () => {
  after(stopAll)

  it('say so, and are one cluster once either is started without', async () => {
    const [one, other] = [await freePortPair(), await freePortPair()].map(
      ({ port }, at, { [1 - at]: next }) => new WarehouseInstance(port, [`--join=127.0.0.1:${next?.port}`]),
    )
    if (one === undefined || other === undefined) throw new Error('two were made')
    for (const each of [one, other]) each.launch()
    await other.process.waitForOutput(
      `waiting for ${one.address}, which was told to join ${other.address} and waits as well: ` +
        'start one of the two without --join',
    )
    await one.kill()
    const first = new WarehouseInstance(one.port, [], one.dataDirectory)
    first.launch()
    for (const each of [first, other]) await each.waitForNodes([first.address, other.address])
    const key = randomUUID()
    expect(await other.ask(`SET ${key} v`)).to.equal('Created (2 replicas)')
    expect(await first.ask(`GET ${key}`)).to.equal('v')
  })
})

describe('A client of a warehouse on the ring', () => {
  after(stopAll)

  it('is told by whichever instance it asks whether a document was there, and how many copies there are', async () => {
    const [leader, follower] = await startWarehouse(2, ringFlags)
    if (leader === undefined || follower === undefined) throw new Error('two were asked for')
    const other = randomUUID()
    expect(await follower.ask(`SET ${key} one`)).to.equal('Created (2 replicas)')
    expect(await follower.ask(`SET ${key} two`)).to.equal('Updated (2 replicas)')
    expect(await leader.ask(`SET ${key} three`)).to.equal('Updated (2 replicas)')
    expect(await leader.ask(`SET ${other} one`)).to.equal('Created (2 replicas)')
    expect(await follower.ask(`GET ${other}`)).to.equal('one')
    expect(await follower.ask(`DELETE ${key}`)).to.equal('Deleted (2 replicas)')
    expect(await leader.ask(`GET ${key}`)).to.equal('Not found')
    expect(await follower.ask(`SET ${key} one`)).to.equal('Created (2 replicas)')
    const client = await Client.connect(follower.address)
    try {
      expect(client).to.include({ engine: 'ring', leader: leader.address })
      expect(client.placement(key)).to.have.members([leader.address, follower.address])
    } finally {
      client.close()
    }
  })
})

/** Why the promise was broken. */
async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    return `it was kept: ${JSON.stringify(await promise)}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
