import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const program = fileURLToPath(new URL('./signals-child.js', import.meta.url))
const children: ChildProcess[] = []

/** A process that waits for signals, and the lines that it says. */
async function start(manner: 'stops' | 'stays', channel: 'with channel' | 'without channel') {
  const stdio = [
    'ignore',
    'pipe',
    'inherit',
    ...(channel === 'with channel' ? ['ipc' as const] : []),
  ] as const
  const child = spawn(process.execPath, [program, manner], { stdio: [...stdio] })
  children.push(child)
  if (child.stdout === null) throw new Error('its output is a pipe')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => (await lines.next()).value
  expect(await nextLine()).to.equal('listening')
  return { child, nextLine, exited: once(child, 'exit') }
}

describe('the wish to stop', () => {
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`is told by ${signal}, and then nothing keeps the process`, async () => {
      const { child, nextLine, exited } = await start('stops', 'without channel')
      child.kill(signal)
      expect(await nextLine()).to.equal(`stop: ${signal}`)
      expect(await exited).to.deep.equal([0, null])
    })
  }

  it('is told when the parent is gone, and then nothing keeps the process', async () => {
    const { child, nextLine, exited } = await start('stops', 'with channel')
    child.disconnect()
    expect(await nextLine()).to.equal('stop: the parent process is gone')
    expect(await exited).to.deep.equal([0, null])
  })

  it('is left to the parent where there is one: its Ctrl-C and its terminal are not ours', async () => {
    const { child, nextLine } = await start('stops', 'with channel')
    child.kill('SIGINT')
    child.kill('SIGHUP')
    child.kill('SIGTERM')
    expect(await nextLine()).to.equal('stop: SIGTERM')
  })

  it('is told once, and a later signal says that there is no time', async () => {
    const { child, nextLine, exited } = await start('stays', 'without channel')
    child.kill('SIGTERM')
    expect(await nextLine()).to.equal('stop: SIGTERM')
    // Signals that come too soon count as the same wish, so it is sent until it is a second one.
    const again = setInterval(() => child.kill('SIGINT'), 50)
    try {
      expect(await nextLine()).to.equal('stop now: SIGINT')
      expect(await exited).to.deep.equal([3, null])
    } finally {
      clearInterval(again)
    }
  })
})
