import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { planNodes } from '../../src/node/local-cluster.js'
import { portsTaken } from '../../src/node/ports.js'
import { freePortRow } from '../support/ports.js'
import { startProgram, stopAll, temporaryDirectory, textClient, waitFor } from '../support/processes.js'

const deadlineMs = 20_000

function portsFrom(first: number): number[] {
  return planNodes(3, first, '').flatMap(({ port, peerPort }) => [port, peerPort])
}

async function waitUntilGone(first: number): Promise<void> {
  await waitFor(
    async () => (await portsTaken('127.0.0.1', portsFrom(first))).size === 0,
    deadlineMs,
    'all nodes to be gone',
  )
}

describe('quorate-cluster', () => {
  afterEach(stopAll)

  it('starts a cluster, says how to talk to it, stops it, and started again has its data', async () => {
    const port = await freePortRow(3)
    const flags = [`--port=${port}`, `--data-dir=${temporaryDirectory()}`]
    const first = startProgram('quorate-cluster', flags)
    await first.waitForOutput(`nc 127.0.0.1 ${port}\nput key1 value1\nget key1\nstatus\n`)
    const client = await textClient(`127.0.0.1:${port}`)
    expect(await client.ask('put key1 value1')).to.equal('SUCCESS: key1 -> value1 added.')
    client.close()
    expect(await first.stop()).to.deep.equal({ code: 0, signal: null })
    await waitUntilGone(port)

    const second = startProgram('quorate-cluster', flags)
    await second.waitForOutput('is ready')
    const another = await textClient(`127.0.0.1:${port + 2}`)
    expect(await another.ask('get key1')).to.equal('key1 -> value1')
    expect(await second.stop()).to.deep.equal({ code: 0, signal: null })
  })

  it('names the ports that are in use and others that are not, and starts nothing', async () => {
    const port = await freePortRow(3)
    const server = createServer().listen(port + 1, '127.0.0.1')
    try {
      const directory = join(temporaryDirectory(), 'data')
      const cluster = startProgram('quorate-cluster', [`--port=${port}`, `--data-dir=${directory}`])
      expect(await cluster.waitForExit()).to.deep.equal({ code: 1, signal: null })
      expect(cluster.output).to.include(`port ${port + 1} of 127.0.0.1 is in use`)
      const advised = Number(/--port (\d+)/.exec(cluster.output)?.[1])
      expect((await portsTaken('127.0.0.1', portsFrom(advised))).size).to.equal(0)
    } finally {
      server.close()
    }
  })

  it('refuses what its nodes would refuse, once', async () => {
    const cluster = startProgram('quorate-cluster', ['--election-timeout=100', '--heartbeat-interval=100'])
    expect((await cluster.waitForExit()).code).to.equal(2)
    expect(cluster.output.match(/--election-timeout 100ms is too short/g)).to.have.length(1)
  })

  it('reports a node that ends, restarts none, and fails when the last has ended', async () => {
    const port = await freePortRow(3)
    const cluster = startProgram('quorate-cluster', [
      '--nodes=1',
      `--port=${port}`,
      `--data-dir=${temporaryDirectory()}`,
    ])
    await cluster.waitForOutput('is ready')
    // It is our child's child, which runs as long as nobody has read that it ended.
    process.kill(Number(/process (\d+)/.exec(cluster.output)?.[1]), 'SIGKILL')
    expect(await cluster.waitForExit()).to.deep.equal({ code: 1, signal: null })
    expect(cluster.output).to.include(`Node 127.0.0.1:${port} was killed by SIGKILL`)
    expect(cluster.output).to.include('all nodes have ended')
  })

  it('leaves no node behind when it is killed', async () => {
    const port = await freePortRow(3)
    const cluster = startProgram('quorate-cluster', [`--port=${port}`, `--data-dir=${temporaryDirectory()}`])
    await cluster.waitForOutput('is ready')
    await cluster.kill()
    await waitUntilGone(port)
  })
})
