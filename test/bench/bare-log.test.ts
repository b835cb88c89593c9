import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import { waitFor } from '../support/wait-for.js'
import { ask } from './systems.js'

describe('the bare log that speed is compared with', () => {
  const processes: ChildProcess[] = []
  let directory = ''

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'bare-log-'))
  })

  afterEach(async () => {
    await Promise.all(processes.splice(0).map(end))
    rmSync(directory, { recursive: true, force: true })
  })

  function start(role: string, ...ports: readonly number[]): ChildProcess {
    const words = [role, join(directory, String(ports[0])), ...ports.map(String)]
    const child = fork(join(import.meta.dirname, 'bare-log.js'), words, { stdio: 'inherit' })
    processes.push(child)
    return child
  }

  it('answers reads with what was written, and writes as long as a majority keeps them', async () => {
    const [one, other] = [await freePortPair(), await freePortPair()]
    const followers = [one.port, other.port] as const
    const keeping = start('follow', followers[0])
    start('follow', followers[1])
    const leader = one.peerPort
    start('lead', leader, ...followers)
    await said(leader, 'set a 1\n', 'SUCCESS: a set.\n')
    await said(leader, 'get a\n', 'a -> 1\n')
    await said(leader, 'get b\n', 'ERROR: Key not found.\n')
    await end(keeping)
    await said(leader, 'set a 3\n', 'SUCCESS: a set.\n')
  })
})

/** Says a line as often as needed to be answered so. */
async function said(port: number, line: string, wanted: string): Promise<void> {
  const answer = await waitFor(
    () => ask(`127.0.0.1:${port}`, line).catch(() => undefined),
    10_000,
    `an answer to ${line}`,
  )
  expect(answer).to.equal(wanted)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}
