/** What `warehouse` and `warehouse-cli` say and how they end, when things are not as they should be. */
import { spawnSync } from 'node:child_process'
import { createServer, type Server } from 'node:net'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { freePort, freePortPair } from '../support/ports.js'
import {
  programPath,
  startNode,
  startProgram,
  stopAll,
  type TestProcess,
  textClient,
} from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { startWarehouse, WarehouseInstance } from '../support/warehouse.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'
const raft = '--engine=raft'

/** Why the promise was broken. */
async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    return `it was kept: ${JSON.stringify(await promise)}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Runs the client on the lines; what it wrote, and its exit code. */
function cli(
  flags: readonly string[],
  lines = '',
): { readonly out: string; readonly err: string; readonly code: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [programPath('warehouse-cli'), ...flags], {
    input: lines,
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { out: stdout, err: stderr, code: status }
}

describe('An instance of a warehouse', () => {
  let instance: WarehouseInstance

  before(async () => {
    const [first] = await startWarehouse(1)
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
      // Version 1, and version 4 of another variant.
      ['GET 0d5d3807-5fbf-1228-a657-5a091c4e497f', 'Error: Key is not a proper UUID4'],
      ['GET 0d5d3807-5fbf-4228-c657-5a091c4e497f', 'Error: Key is not a proper UUID4'],
      ['GET', 'Error: invalid command'],
      [`GET ${key} more`, 'Error: invalid command'],
      [`SET ${key}`, 'Error: invalid command'],
      ['STATUS now', 'Error: invalid command'],
      ['put key1 value1', 'Error: unknown command'],
      ['NODES', instance.address],
      [`NODES ${key}`, instance.address],
      ['HEARTBEAT', /^\{"engine":"raft","nodes":\["127\.0\.0\.1:\d+"\],.*"replicationFactor":2,/],
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

  it('refuses keys that are not UUID4 in JSON as well, and takes a key in either case for the same', async () => {
    const client = await textClient(instance.address)
    const refused = await client.ask('{"id":1,"op":"set","key":"key1","value":"v"}')
    expect(JSON.parse(refused)).to.deep.include({ id: 1, ok: false, code: 'KEY_NOT_UUID4', definite: true })
    await client.ask(`{"id":2,"op":"set","key":"${key.toUpperCase()}","value":"v"}`)
    expect(JSON.parse(await client.ask(`{"id":3,"op":"get","key":"${key}"}`))).to.include({ value: 'v' })
    expect(JSON.parse(await client.ask('{"id":4,"op":"keys"}'))).to.deep.include({ keys: [key] })
    client.close()
  })

  it('refuses them of Redis clients as well, in one command and in transactions', async () => {
    const redis = new Redis({ port: instance.port, lazyConnect: true, maxRetriesPerRequest: 0 })
    await redis.connect()
    try {
      const refused = 'ERR Key is not a proper UUID4.'
      expect(await reasonOf(redis.set('key1', 'v'))).to.equal(refused)
      expect(await reasonOf(redis.incr('key1'))).to.equal(refused)
      expect(await reasonOf(redis.mget(key, 'key1'))).to.equal(refused)
      expect(await reasonOf(redis.multi().set(key, 'no').append('key1', 'v').exec())).to.equal(refused)
      expect(await reasonOf(redis.watch('key1'))).to.equal(refused)
      await redis.unwatch()
      expect(await redis.getset(key.toUpperCase(), 'of Redis')).to.not.equal('no')
      expect(await redis.mget(key, key.toUpperCase())).to.deep.equal(['of Redis', 'of Redis'])
      expect(await redis.keys('*')).to.deep.equal([key])
    } finally {
      redis.disconnect()
    }
    expect(await instance.ask(`GET ${key}`)).to.equal('of Redis')
  })

  it('warns that the cluster is too small for its replication factor', async () => {
    const heartbeat: unknown = JSON.parse(await instance.ask('HEARTBEAT'))
    const warnings = ['cluster size (1) is smaller than a replication factor (2)!']
    expect(heartbeat).to.deep.include({ warnings, replicationFactor: 2 })
    expect(cli(['-P', String(instance.port)], 'NODES\n').err).to.equal(`WARNING: ${warnings[0]}\n`)
  })

  it('is not joined by one with another replication factor, which says both and ends with exit code 1', async () => {
    const other = new WarehouseInstance((await freePortPair()).port, [
      raft,
      '--replication-factor=3',
      `--join=${instance.address}`,
    ])
    other.launch()
    expect(await other.process.waitForExit()).to.deep.include({ code: 1 })
    expect(other.process.output).to.include(
      'it was started with --replication-factor 3, and this cluster has 2.',
    )
    expect(await instance.ask('NODES')).to.equal(instance.address)
  })

  it('is not joined by a plain node, which would take any key', async () => {
    const { port, peerPort } = await freePortPair()
    const place = [`--port=${port}`, `--peer-port=${peerPort}`, `--data-dir=${instance.dataDirectory}-plain`]
    const plain = startProgram('quorate', [...place, `--join=${instance.address}`])
    expect(await plain.waitForExit()).to.deep.include({ code: 1 })
    expect(plain.output).to.include('it was started as quorate, and this cluster is one of warehouse.')
  })

  it('does not start again with another replication factor', async () => {
    const { port, peerPort } = await freePortPair()
    const place = [`--port=${port}`, `--peer-port=${peerPort}`, `--data-dir=${instance.dataDirectory}-again`]
    const first = startProgram('warehouse', [raft, ...place])
    await first.waitForOutput('"msg":"ready"')
    await first.stop()
    const again = startProgram('warehouse', [raft, ...place, '--replication-factor=3'])
    expect(await again.waitForExit()).to.deep.include({ code: 1 })
    expect(again.output).to.include('it was started with --replication-factor 3, and this cluster has 2.')
  })

  it('starts again without being told its replication factor, and keeps none for which it was refused', async () => {
    const { port, peerPort } = await freePortPair()
    const place = [`--port=${port}`, `--peer-port=${peerPort}`, `--data-dir=${instance.dataDirectory}-five`]
    const first = startProgram('warehouse', [raft, ...place, '--replication-factor=5'])
    await first.waitForOutput('"msg":"ready"')
    await first.stop()
    const again = startProgram('warehouse', place)
    await again.waitForOutput('"msg":"ready"')
    const client = await textClient(`127.0.0.1:${port}`)
    expect(JSON.parse(await client.ask('HEARTBEAT'))).to.include({ replicationFactor: 5 })
    // Refused for what it was told; nothing of that stays.
    const { port: otherPort, peerPort: otherPeerPort } = await freePortPair()
    const elsewhere = [`--port=${otherPort}`, `--peer-port=${otherPeerPort}`, `--join=127.0.0.1:${port}`]
    const other = [raft, ...elsewhere, `--data-dir=${instance.dataDirectory}-refused`]
    const refused = startProgram('warehouse', [...other, '--replication-factor=3'])
    expect(await refused.waitForExit()).to.deep.include({ code: 1 })
    const usual = startProgram('warehouse', other)
    expect(await usual.waitForExit()).to.deep.include({ code: 1 })
    expect(usual.output).to.include('it was started with --replication-factor 2, and this cluster has 5.')
    await again.stop()
  })

  it('forms no cluster with one that was given another replication factor', async () => {
    const ports = [await freePortPair(), await freePortPair()].map(({ port }) => port)
    const list = `--cluster=${ports.map(port => `127.0.0.1:${port}`).join(',')}`
    const both = ports.map((port, at) =>
      new WarehouseInstance(port, [raft, list, `--replication-factor=${at + 2}`]).launch(),
    )
    // One says it; the other may find it gone by then, and wait.
    const ended = await Promise.race(both.map(async one => [await one.waitForExit(), one.output] as const))
    expect(ended[0]).to.deep.include({ code: 1 })
    expect(ended[1]).to.match(/it was started with --replication-factor [23], and this cluster has [32]\./)
    await Promise.all(both.map(one => one.kill()))
  })

  it('waits for another that waits for it, and says so', async () => {
    const [first, second] = [await freePortPair(), await freePortPair()].map(({ port }) => port)
    const pairs = [
      [first, second],
      [second, first],
    ] as const
    const both = pairs.map(([port, other]) => {
      const place = [`--port=${port}`, `--data-dir=${instance.dataDirectory}-${port}`]
      return startProgram('warehouse', [raft, ...place, `--join=127.0.0.1:${other}`])
    })
    for (const [at, one] of both.entries()) {
      const other = pairs[at]?.[1]
      await one.waitForOutput(
        `waiting for 127.0.0.1:${other}, which was told to join 127.0.0.1:${pairs[at]?.[0]} and waits as well: ` +
          'start one of the two without --join',
      )
    }
    for (const one of both) expect(await one.stop()).to.deep.include({ code: 0 })
  })

  it('says that its port is in use, and ends with exit code 1', async () => {
    const { peerPort } = await freePortPair()
    const place = [
      `--port=${instance.port}`,
      `--peer-port=${peerPort}`,
      `--data-dir=${instance.dataDirectory}2`,
    ]
    const other = startProgram('warehouse', [raft, ...place])
    expect(await other.waitForExit()).to.deep.include({ code: 1 })
    expect(other.output).to.include(`cannot listen on 127.0.0.1:${instance.port}: the port is in use`)
  })

  it('waits for a seed that is dead or does not resolve, says so, and stops well when told to', async () => {
    const dead = `127.0.0.1:${await freePort()}`
    for (const [seed, why] of [
      [dead, `waiting for ${dead} (${dead} could not be reached: nothing listens there.)`],
      [
        'no-such-host.invalid:8765',
        'waiting for no-such-host.invalid:8765 (no-such-host.invalid:8765 could not be',
      ],
    ] as const) {
      const other = await joining(seed, '--log-level=info')
      await other.waitForOutput(why)
      expect(await other.stop()).to.deep.include({ code: 0 })
    }
  })

  async function joining(seed: string, ...flags: readonly string[]): Promise<TestProcess> {
    const { port } = await freePortPair()
    const own = [raft, `--port=${port}`, `--join=${seed}`, `--data-dir=${instance.dataDirectory}-${port}`]
    return startProgram('warehouse', [...own, ...flags])
  }

  it('answers lines from a pipe and nothing else, and the exit code tells whether all went well', () => {
    const port = ['-P', String(instance.port)]
    const well = cli(
      port,
      `SET ${key} one\nGET ${key}\n\nGET 4b1a4bd0-2c0c-4c55-9b6c-000000000000\nDELETE ${key}`,
    )
    expect(well.out).to.equal('Updated (1 replica)\none\nNot found\nDeleted (1 replica)\n')
    expect(well.code).to.equal(0)
    const notWell = cli(port, `SET 12345 one\nGET ${key}\n`)
    expect(notWell).to.deep.include({ out: 'Error: Key is not a proper UUID4\nNot found\n', code: 1 })
    const ended = cli(port, 'EXIT\nSET 12345 never\n')
    expect(ended).to.deep.include({ out: '', code: 0 })
  })

  it('gives answers in JSON', () => {
    const { out, code } = cli(
      ['-H127.0.0.1', '-P', String(instance.port), '--json'],
      `SET ${key} one\nGET ${key}\nGET x\n`,
    )
    const [set, get, refused] = out.split('\n')
    expect(JSON.parse(set ?? '')).to.deep.equal({ ok: true, answer: 'Created', replicas: 1 })
    expect(JSON.parse(get ?? '')).to.deep.equal({ ok: true, key, value: 'one' })
    expect(JSON.parse(refused ?? '')).to.deep.include({ ok: false, code: 'KEY_NOT_UUID4' })
    expect(code).to.equal(1)
  })
})

describe('Two instances of a warehouse', () => {
  let instances: WarehouseInstance[]

  before(async () => {
    instances = await startWarehouse(2)
  })
  after(stopAll)

  it('say whichever of them is asked whether an entry was there, and how many copies there are', async () => {
    const [leader, follower] = instances
    if (leader === undefined || follower === undefined) throw new Error('two were asked for')
    const other = '7b1dbb0e-5b5d-4f0c-9a3e-2f1f6d1c9a77'
    expect(await follower.ask(`SET ${key} one`)).to.equal('Created (2 replicas)')
    expect(await follower.ask(`SET ${key} two`)).to.equal('Updated (2 replicas)')
    expect(await leader.ask(`SET ${key} three`)).to.equal('Updated (2 replicas)')
    expect(await leader.ask(`SET ${other} one`)).to.equal('Created (2 replicas)')
    expect(await follower.ask(`SET ${other} two`)).to.equal('Updated (2 replicas)')
    expect(await follower.ask(`DELETE ${key}`)).to.equal('Deleted (2 replicas)')
    expect(await follower.ask(`SET ${key} one`)).to.equal('Created (2 replicas)')
  })
})

describe('warehouse-cli that cannot connect', () => {
  let silent: Server

  before(done => {
    // Takes connections and never says a word.
    silent = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1', done)
  })
  after(async function () {
    silent.close()
    await stopAll.call(this)
  })

  for (const engine of ['raft', 'ring']) {
    it(`says of a node of another database, on ${engine}, that it is no warehouse, and writes nothing`, async () => {
      const node = await startNode({ flags: [`--engine=${engine}`] })
      expect(cli(['-P', String(node.port)], `SET ${key} x\n`)).to.deep.equal({
        out: '',
        err: `warehouse-cli: what answers at ${node.address} is no instance of Warehouse 13.\n`,
        code: 1,
      })
      const client = await textClient(node.address)
      expect(await client.ask(`get ${key}`)).to.equal('ERROR: Key not found.')
    })
  }

  it('says why, and ends with exit code 1', async () => {
    const dead = await freePort()
    expect(cli(['-P', String(dead)])).to.deep.include({
      out: '',
      err: `warehouse-cli: No node can be reached: 127.0.0.1:${dead} (nothing listens there).\n`,
      code: 1,
    })
    const unknown = cli(['-H', 'no-such-host.invalid'])
    expect(unknown.err).to.match(
      /^warehouse-cli: No node can be reached: no-such-host\.invalid:8765 \(.+\)\.\n$/,
    )
    expect(unknown.code).to.equal(1)
    const place = silent.address()
    const port = typeof place === 'object' && place !== null ? place.port : 0
    expect(cli(['-P', String(port)])).to.deep.include({
      err: `warehouse-cli: No node can be reached: 127.0.0.1:${port} (it was silent for 2000 ms).\n`,
      code: 1,
    })
  })

  it('refuses flags that there are not, with exit code 2', () => {
    const { err, code } = cli(['--prot', '8765'])
    expect(err).to.include("Unknown flag '--prot'. Did you mean --port?")
    expect(code).to.equal(2)
  })
})
