/** Redis clients while nodes are killed: what they are told, and what is left of what they were told. */
import { spawn } from 'node:child_process'
import { expect } from 'chai'
import { Cluster, Redis } from 'ioredis'
import { startCluster, type TestNode, waitFor } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { patienceMs, rolesOf, waitForCopies } from './cluster-state.js'
import { endLater, libraries, stopAllWithClients, textOf } from './redis-harness.js'

/** Errors that promise that nothing was done; `ioredis` says the last ones of what it never sent. */
const nothingDone = /^(?:CLUSTERDOWN|TRYAGAIN) |^Connection is closed/

/** Writers that set one new key after the other through a cluster client, and remember what was acknowledged. */
class SetLoad {
  readonly acknowledged: string[] = []
  readonly errors: string[] = []
  readonly #running: Promise<void>[] = []
  #isStopping = false

  constructor(clients: readonly Cluster[]) {
    for (const [at, client] of clients.entries()) this.#running.push(this.#run(client, `load:${at}`))
  }

  async waitForMore(count: number): Promise<void> {
    const from = this.acknowledged.length
    await waitFor(
      () => this.acknowledged.length >= from + count,
      patienceMs,
      () => `${count} more acknowledged writes; the last errors: ${this.errors.slice(-5).join(', ')}`,
    )
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#running)
  }

  async #run(client: Cluster, name: string): Promise<void> {
    for (let count = 0; !this.#isStopping; count++) {
      const key = `${name}:${count}`
      try {
        await client.set(key, key)
        this.acknowledged.push(key)
      } catch (error) {
        this.errors.push(error instanceof Error ? error.message : String(error))
      }
    }
  }
}

describe('When the leader is killed with kill -9 under Redis clients', () => {
  let nodes: TestNode[]
  before(async () => {
    nodes = await startCluster(3, { flags: ['--request-timeout=5s'] })
  })
  // So that each scene begins with all of them, however the one before it ended.
  afterEach(async () => {
    await Promise.all(nodes.filter(node => !node.process.isRunning).map(node => node.start()))
  })
  after(stopAllWithClients)

  it('cluster clients go on at the next leader, and no acknowledged write is lost', async () => {
    const clients = [1, 2, 3, 4].map(() => {
      const client = new Cluster(nodes.map(({ host, port }) => ({ host, port })))
      client.on('error', () => {})
      endLater(() => client.disconnect())
      return client
    })
    const load = new SetLoad(clients)
    await load.waitForMore(50)
    const { leader, followers } = await rolesOf(nodes)
    const killedAtMs = performance.now()
    await leader.kill()
    await load.waitForMore(1)
    const pauseMs = performance.now() - killedAtMs
    await load.waitForMore(100)
    await load.stop()
    console.log(
      `      ${load.acknowledged.length} writes, ${load.errors.length} errors; ` +
        `from the kill to the next acknowledged write: ${pauseMs.toFixed(0)} ms`,
    )
    const living = followers.map(({ port }) => port)
    for (const client of clients) {
      // It may have asked for the slots while nobody led; a write to a follower tells it who does.
      const masters = () => client.nodes('master').map(({ options }) => options.port)
      await waitFor(
        async () => (await client.set('last', 'write')) === 'OK' && masters().length === 1,
        patienceMs,
        () => `a client to know one master of ${living}; it knows ${masters()}`,
      )
      expect(masters()[0]).to.be.oneOf(living)
    }

    await leader.start()
    await waitForCopies(leader, nodes)
    for (const { host, port } of nodes) {
      const reader = new Redis({ host, port })
      reader.on('error', () => {})
      await reader.readonly()
      const values = await reader.mget(load.acknowledged)
      expect(values, `what ${host}:${port} has`).to.deep.equal(load.acknowledged)
      reader.disconnect()
    }
    for (const client of clients) client.disconnect()
  })

  it('plain clients of a follower notice nothing but a pause', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const plain = await Promise.all(
      followers.flatMap(node => libraries.slice(0, 4).map(library => library.connect(node))),
    )
    const counts = plain.map(() => 0)
    let isStopping = false
    const counting = plain.map(async (client, at) => {
      while (!isStopping) {
        const reply = textOf(await client.call('INCR', `plain:${at}`))
        counts[at] = (counts[at] ?? 0) + 1
        expect(reply, 'each increment happened once').to.equal(counts[at])
      }
    })
    const all = Promise.all(counting)
    const more = (count: number) => {
      const from = [...counts]
      return waitFor(
        () => counts.every((now, at) => now >= (from[at] ?? 0) + count),
        patienceMs,
        'increments',
      )
    }
    await Promise.race([more(5), all])
    await leader.kill()
    await Promise.race([more(10), all])
    isStopping = true
    await all
    for (const client of plain) client.close()
    await leader.start()
    await waitForCopies(leader, nodes)
  })

  it('redis-cli -c at a follower goes on', async function () {
    requires(this, 'redis-cli')
    const { leader, followers } = await rolesOf(nodes)
    const port = String(followers[0]?.port)
    const cli = spawn('redis-cli', ['-c', '-p', port], { stdio: ['pipe', 'pipe', 'inherit'] })
    endLater(() => cli.kill())
    let replies = ''
    cli.stdout.setEncoding('utf8').on('data', text => {
      replies += text
    })
    const typed = (line: string, wanted: string) => {
      cli.stdin.write(`${line}\n`)
      return waitFor(
        () => replies === wanted,
        patienceMs,
        () => `'${wanted}' from redis-cli, not '${replies}'`,
      )
    }
    await typed('SET typed before', 'OK\n')
    await leader.kill()
    await typed('APPEND typed -and-after', 'OK\n16\n')
    await typed('GET typed', 'OK\n16\nbefore-and-after\n')
    cli.stdin.end()
    await leader.start()
    await waitForCopies(leader, nodes)
  })

  it('without a majority they hear what is the matter, and may read what the last node has', async () => {
    const { leader, followers } = await rolesOf(nodes)
    const [last] = followers
    if (last === undefined) throw new Error('a leader of three has followers')
    const { host, port } = last
    const client = new Redis({ host, port, retryStrategy: () => null })
    client.on('error', () => {})
    endLater(() => client.disconnect())
    await client.set('kept', 'value1')
    await waitForCopies(leader, nodes)
    await Promise.all(nodes.filter(node => node !== last).map(node => node.kill()))
    const said = (promise: Promise<unknown>) =>
      promise.then(
        reply => String(reply),
        (error: Error) => error.message,
      )
    const write = await said(client.set('kept', 'value2'))
    expect(write).to.match(/^(?:CLUSTERDOWN|OUTCOMEUNKNOWN) /)
    await waitFor(
      async () => /^CLUSTERDOWN /.test(await said(client.cluster('SLOTS'))),
      patienceMs,
      'the node to see that there is no leader',
    )
    const later = await said(client.set('kept', 'value3'))
    expect(later).to.match(nothingDone)
    expect(await said(client.get('kept'))).to.match(/^CLUSTERDOWN /)
    expect(await client.cluster('INFO')).to.include('cluster_state:fail')
    expect(await client.info('replication')).to.include('master_link_status:down')
    await client.readonly()
    expect(await client.get('kept')).to.equal('value1')

    await Promise.all(nodes.filter(node => node !== last).map(node => node.start()))
    await client.readwrite()
    await waitFor(async () => (await said(client.get('kept'))).startsWith('value'), patienceMs, 'a majority')
    // The first write was sent to nobody, or to a leader that may have kept it; the later one was not carried out.
    expect(await client.get('kept')).to.be.oneOf(
      write.startsWith('CLUSTERDOWN') ? ['value1'] : ['value1', 'value2'],
    )
  })
})
