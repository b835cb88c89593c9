/**
 * A whole node on a real directory, killed at every step of its first start and of its end: it starts again as
 * who it was, with what it had acknowledged, and works.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type NodeConfig, readConfig } from '../../src/node/config.js'
import { createLogger } from '../../src/node/logger.js'
import { QuorateNode } from '../../src/node/node.js'
import { realWorld } from '../../src/node/real-world.js'
import type { Request, Response } from '../../src/protocol/request.js'
import { openDataDirectory } from '../../src/storage/data-directory.js'
import { stepsOf } from '../support/directory-steps.js'
import { freePortPair } from '../support/ports.js'

interface Running {
  readonly identity: string
  ask(request: Request): Promise<Response>
  stop(): Promise<void>
}

describe('a node, killed at any step of its first start', () => {
  let base: string
  let ports: Awaited<ReturnType<typeof freePortPair>>
  const running: Running[] = []
  beforeEach(async () => {
    base = mkdtempSync(join(tmpdir(), 'quorate-start-'))
    ports = await freePortPair()
  })
  afterEach(async () => {
    for (const node of running.splice(0)) await node.stop()
    rmSync(base, { recursive: true })
  })

  const configOf = (dataDirectory: string): NodeConfig => {
    const { port, peerPort } = ports
    const argv = ['--port', `${port}`, '--peer-port', `${peerPort}`, '--data-dir', dataDirectory]
    const result = readConfig({ argv, env: {} })
    if (result.kind !== 'run') throw new Error('a configuration to run with')
    return result.config
  }

  const start = async (at: string): Promise<Running> => {
    const config = configOf(at)
    const directory = await openDataDirectory(at)
    const log = createLogger({ level: 'error', node: config.address })
    const world = realWorld(config, directory, log)
    const node = await QuorateNode.start(config, world, ({ reason }) => {
      throw new Error(reason)
    })
    const ask = (request: Request): Promise<Response> =>
      new Promise(resolve => node.submit(request, { answered: resolve }))
    const stop = async (): Promise<void> => {
      running.splice(running.indexOf(started), 1)
      await node.stop()
      await directory.close()
    }
    const started = { identity: world.loadIdentity()?.node ?? '', ask, stop }
    running.push(started)
    return started
  }

  it('starts again as who it was, with what was acknowledged, and takes writes', async function () {
    this.timeout(300_000)
    const directory = join(base, 'data')
    let identity = ''
    const put = async (node: Running, key: string): Promise<void> => {
      const response = await node.ask({ op: 'set', key, value: Buffer.from(key) })
      expect(response.kind).to.equal('written')
    }
    let startedAt = 0
    let acknowledgedAt = 0
    const steps = await stepsOf(directory, join(base, 'steps'), async taken => {
      const node = await start(directory)
      identity = node.identity
      startedAt = taken()
      await put(node, 'first')
      acknowledgedAt = taken()
      await node.stop()
    })
    let wasItself = false
    let hadFirst = false
    let kills = 0
    for (const [number, step] of steps.entries()) {
      // To a kill, a flush changes nothing: the next step finds the same.
      if (/^f(data)?sync/.test(step.call)) continue
      kills++
      const node = await start(step.directory)
      const isItself = node.identity === identity
      const isThere = (await node.ask({ op: 'get', key: 'first', local: false })).kind === 'value'
      const mustBeItself = wasItself || number >= startedAt
      const mustBeThere = hadFirst || number >= acknowledgedAt
      expect(isItself || !mustBeItself, `killed at ${step.call}, it is who it was`).to.equal(true)
      expect(isThere || !mustBeThere, `killed at ${step.call}, it has the write`).to.equal(true)
      wasItself = isItself
      hadFirst = isThere
      await put(node, 'second')
      await node.stop()
    }
    console.log(`      ${kills} kills`)
    expect(kills).to.be.greaterThan(20)
    expect(wasItself && hadFirst, 'at the end it is all there').to.equal(true)
  })
})
