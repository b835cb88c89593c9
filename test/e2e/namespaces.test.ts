/**
 * The cluster of compose.yaml without containers: its very commands and environment, on hosts with addresses of
 * their own and the ports that a node has by default. Hosts can be added, and their cables can be pulled.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { programPath, startProgram, stopAll, temporaryDirectory, waitFor } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { readCompose, type Service } from './compose-file.js'
import { type LabHost, NetworkLab } from './network-lab.js'

/** The election timeout of nodes that are told none. */
const electionTimeoutMs = 1000
/** Within so much of what happens `status` has to be true; the tests print how long it took. */
const promisedMs = 2 * electionTimeoutMs
/** A slow machine is no reason to fail. */
const deadlineMs = 10 * promisedMs

describe('the cluster of compose.yaml, on hosts of its own', () => {
  const { services, prefixLength } = readCompose()
  const fourth = fourthService(services)
  const hosts = new Map<string, LabHost>()
  let lab: NetworkLab | undefined

  before(async function () {
    requires(this, 'netns', 'nc')
    const network = new NetworkLab(prefixLength)
    lab = network
    for (const service of services) hosts.set(service.name, startService(network, service))
    for (const { name } of services) await eventually(name, ({ leader }) => leader !== 'none')
  })
  after(async function () {
    try {
      await stopAll.call(this)
    } finally {
      lab?.close()
    }
  })

  /** What a person at `host` hears who types `input` into netcat there; at another host if `to` names one. */
  function type(host: string, input: string, to = host): Promise<string> {
    const [command = '', ...through] = hostOf(host).through
    const netcat = spawn(command, [...through, 'nc', '-N', '-w', '15', hostOf(to).address, '5000'])
    let heard = ''
    netcat.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      heard += chunk
    })
    netcat.stdin.on('error', () => {})
    netcat.stdin.end(input)
    return new Promise((resolve, reject) => {
      netcat.once('error', reject)
      netcat.once('close', () => resolve(heard))
    })
  }

  /** Waits until `status` at a host says what it should, and returns how long that took, in milliseconds. */
  async function eventually(host: string, isTrue: (status: Status) => boolean): Promise<number> {
    const startedAtMs = performance.now()
    let said = ''
    await waitFor(
      async () => {
        said = await type(host, 'status\n')
        return isTrue(readStatus(said))
      },
      deadlineMs,
      () => `another status at ${host}; it says:\n${said}`,
    )
    return Math.round(performance.now() - startedAtMs)
  }

  function hostOf(name: string): LabHost {
    const host = hosts.get(name)
    if (host === undefined) throw new Error(`there is no host ${name}`)
    return host
  }

  it('has three services with addresses of one network', () => {
    expect(services.map(({ name }) => name)).to.deep.equal(['quorate1', 'quorate2', 'quorate3'])
    expect(prefixLength).to.equal(24)
  })

  it('plays a session, through any node, in which nodes are bare addresses', async () => {
    const addresses = services.map(({ address }) => address)
    const { leader } = readStatus(await type('quorate1', 'status\n'))
    expect(addresses).to.include(leader)
    await eventually('quorate2', ({ sync }) => sync === 'All nodes in sync.')
    const stranger = '172.30.13.99'
    const heard = await type(
      'quorate1',
      [
        'put key1 value1',
        'put key1 value1',
        'get key1',
        'update key1 value2',
        'get key1',
        'delete key1',
        'get key1',
        'status',
        `add-node ${addresses[1]}`,
        `remove-node ${stranger}`,
        'put key1 value3',
      ].join('\n'),
      'quorate2',
    )
    expect(heard.split('\n')).to.deep.equal([
      'SUCCESS: key1 -> value1 added.',
      'ERROR: Key already exists.',
      'key1 -> value1',
      'SUCCESS: key1 updated to value2.',
      'key1 -> value2',
      'SUCCESS: key1 removed.',
      'ERROR: Key not found.',
      'Cluster Status:',
      `Leader: ${leader}`,
      `Active Nodes: [${addresses.join(', ')}]`,
      'Sync Status: All nodes in sync.',
      `ERROR: Node ${addresses[1]} already exists in cluster.`,
      `ERROR: Node ${stranger} does not exist in cluster.`,
      'SUCCESS: key1 -> value3 added.',
      '',
    ])
    for (const { name } of services) expect(await type(name, 'get key1')).to.equal('key1 -> value3\n')
  })

  it('takes in a fourth host with add-node', async () => {
    if (lab === undefined) throw new Error('there is no network')
    hosts.set(fourth.name, startService(lab, fourth))
    // By itself it is a cluster of one, ready at once.
    await eventually(fourth.name, ({ leader }) => leader === fourth.address)
    expect(await type('quorate1', `add-node ${fourth.address}\n`)).to.equal(
      `SUCCESS: Node ${fourth.address} added to cluster.\n`,
    )
    const all = [...services, fourth]
    for (const { name } of all) {
      await eventually(name, ({ active, sync }) => {
        return active === all.map(({ address }) => address).join(', ') && sync === 'All nodes in sync.'
      })
      expect(await type(name, 'get --local key1\nget key1')).to.equal('key1 -> value3\nkey1 -> value3\n')
    }
  })

  it('outlives a cut-off leader, who refuses to answer for it and comes back as a follower', async () => {
    if (lab === undefined) throw new Error('there is no network')
    const all = [...services, fourth]
    const { leader } = readStatus(await type('quorate1', 'status\n'))
    const cutOff = all.find(({ address }) => address === leader)
    const others = all.filter(({ address }) => address !== leader)
    const [witness] = others
    if (cutOff === undefined || witness === undefined) throw new Error(`${leader} is none of the hosts`)

    lab.cut(cutOff.name)
    const elected = eventually(witness.name, status => status.leader !== leader && status.leader !== 'none')
    const warned = eventually(witness.name, ({ sync }) => sync === `WARNING: Node ${leader} out of sync.`)
    const resigned = eventually(cutOff.name, ({ sync }) => sync === 'WARNING: no leader.')
    print(`another leader was known ${await elected} ms after the cut`)
    print(`the missing node was known to be out of sync ${await warned} ms after the cut`)
    print(`the leader knew that it is none ${await resigned} ms after the cut`)

    // The refusals come when the requests have waited their time, so these go on side by side.
    const [read, written, stale, majority] = await Promise.all([
      type(cutOff.name, 'get key1'),
      type(cutOff.name, 'put key2 lost'),
      type(cutOff.name, 'get --local key1'),
      type(witness.name, 'put key2 kept\nget key2'),
    ])
    expect(read).to.equal('ERROR: Leader unavailable. Retrying...\n')
    expect(written).to.equal('ERROR: Leader unavailable. Retrying...\n')
    expect(stale).to.equal('key1 -> value3\n')
    expect(majority).to.equal('SUCCESS: key2 -> kept added.\nkey2 -> kept\n')

    lab.heal(cutOff.name)
    const inSync = all.map(async ({ name }) => {
      return [name, await eventually(name, ({ sync }) => sync === 'All nodes in sync.')] as const
    })
    for (const [name, afterMs] of await Promise.all(inSync)) {
      print(`${name} knew ${afterMs} ms after the healing that all are in sync`)
    }
    expect(readStatus(await type(cutOff.name, 'status\n')).leader).to.not.equal(leader)
    expect(await type(cutOff.name, 'get key2')).to.equal('key2 -> kept\n')
  })
})

/** Starts a service as the image would, with a directory of ours as its volume. */
function startService(lab: NetworkLab, service: Service): LabHost {
  const host = lab.addHost(service.name, service.address)
  const [runtime, program, ...flags] = service.command
  const name = /^\/app\/dist\/bin\/([\w-]+)\.js$/.exec(program ?? '')?.[1]
  if (runtime !== 'node' || name === undefined)
    throw new Error(`not understood: ${service.command.join(' ')}`)
  expect(programPath(name)).to.match(/\/dist\/bin\/quorate\.js$/)
  const volume = service.environment['QUORATE_DATA_DIR']
  if (volume === undefined) throw new Error(`${service.name} keeps its data nowhere`)
  const env = { ...service.environment, QUORATE_DATA_DIR: join(temporaryDirectory(), volume) }
  startProgram(name, flags, { env, through: host.through })
  return host
}

/** What the compose file says how to make: a copy of the third one with an address of its own and no list. */
function fourthService(services: readonly Service[]): Service {
  const third = services[2]
  if (third === undefined) throw new Error('there is no third service')
  const { QUORATE_CLUSTER: _, ...environment } = third.environment
  const address = '172.30.13.14'
  return { ...third, name: 'quorate4', address, environment: { ...environment, QUORATE_ADVERTISE: address } }
}

interface Status {
  readonly leader: string
  readonly active: string
  readonly sync: string
}

/** What `status` said; fails on anything else. */
function readStatus(said: string): Status {
  const match = /^Cluster Status:\nLeader: (.*)\nActive Nodes: \[(.*)\]\nSync Status: (.*)\n$/.exec(said)
  if (match === null) throw new Error(`this is no status: ${said}`)
  const [, leader = '', active = '', sync = ''] = match
  return { leader, active, sync }
}

function print(line: string): void {
  console.log(`      ${line} (promised: ${promisedMs} ms)`)
}
