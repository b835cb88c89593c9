/** A session of warehouse-cli in a real terminal, against three real instances that are killed one by one. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { programPath, stopAll, temporaryDirectory } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { closeTerminals, Terminal, terminalWidth } from '../support/tmux.js'
import { startWarehouse, type WarehouseInstance } from '../support/warehouse.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'
/** The addresses of the page, in the order in which the instances join. */
const addressesShown = ['127.0.0.1:8765', '127.0.0.1:9876', '127.0.0.1:8697']

/** The session that docs/warehouse.md shows, without the command that begins it; its prompts are bare `>`. */
function sessionShown(): string {
  const page = readFileSync(fileURLToPath(new URL('../../../docs/warehouse.md', import.meta.url)), 'utf8')
  const [, block] = /<!-- transcript: session -->\n```\n\$ warehouse-cli .*\n([\s\S]*?)\n```/.exec(page) ?? []
  if (block === undefined) throw new Error('the page shows no session')
  return block
}

describe('warehouse-cli in a terminal', () => {
  let instances: WarehouseInstance[]
  let terminal: Terminal
  let historyFile: string

  before(async function () {
    requires(this, 'tmux')
    instances = await startWarehouse(3, ['--engine=raft', '--request-timeout=2s'])
    historyFile = `${temporaryDirectory()}/history`
  })
  after(async function () {
    closeTerminals()
    await stopAll.call(this)
  })

  function open(instance: WarehouseInstance | undefined): Terminal {
    if (instance === undefined) throw new Error('there are three instances')
    const place = ['-H', '127.0.0.1', '-P', String(instance.port)]
    const settings = ['--history', historyFile, '--timeout', '3500ms']
    return new Terminal([process.execPath, programPath('warehouse-cli'), ...place, ...settings])
  }

  it('shows the session to the letter', async () => {
    terminal = open(instances[0])
    const session = instances.reduce(
      (text, { address }, at) => text.replaceAll(addressesShown[at] ?? '', address),
      sessionShown(),
    )
    // What is typed, each with what the screen shows before it.
    const typed = [...session.matchAll(/^> (.*)$/gm)].map(({ 1: line = '', index }) => ({ line, index }))
    expect(typed.map(({ line }) => line.split(' ')[0])).to.deep.equal(['SET', 'SET', 'GET', 'DELETE', 'GET'])
    for (const { line, index } of typed) {
      const before = `${session.slice(0, index)}>`
      await terminal.waitForScreen(screen => screen === before, before)
      terminal.enter(line)
    }
    await terminal.waitForScreen(screen => screen === session, session)
  })

  it('goes to another instance when its own is killed, says so above what is being typed, and keeps that', async () => {
    const start = terminal.screen().replace(/\n>$/, '')
    const line = `SET ${key} ${'a line that is longer than the terminal is wide '.repeat(3)}end`
    const shownLine = wrapped(`> ${line}`)
    terminal.type(line)
    await terminal.waitForEnd(`\n${shownLine}`)
    const killedAtMs = performance.now()
    await instances[0]?.kill()
    const screen = await terminal.waitForScreen(
      shown => shown.includes('Reconnected') && shown.endsWith(`\n${shownLine}`),
      'the reconnection, and the line that was being typed',
    )
    console.log(`      reconnected after ${(performance.now() - killedAtMs).toFixed(0)} ms`)
    const survivors = instances.slice(1).map(({ address }) => address)
    const [, port] = /Reconnected to a database of Warehouse 13 at 127\.0\.0\.1:(\d+)/.exec(screen) ?? []
    expect(survivors).to.include(`127.0.0.1:${port}`)
    expect(screen).to.equal(
      `${start}\nReconnected to a database of Warehouse 13 at 127.0.0.1:${port}\n` +
        `Known nodes:\n${survivors.join('\n')}\n${shownLine}`,
    )
    terminal.press('Enter')
    await terminal.waitForEnd(`\n${shownLine}\nCreated (2 replicas)\n>`)
    terminal.enter(`DELETE ${key}`)
    await terminal.waitForEnd(`> DELETE ${key}\nDeleted (2 replicas)\n>`)
  })

  it('completes words and keys, and has a history that outlives it', async () => {
    terminal.type('sta')
    terminal.press('Tab')
    await terminal.waitForEnd('\n> STATUS')
    terminal.press('C-c')
    await terminal.waitForEnd('Deleted (2 replicas)\n>')
    terminal.type('GET 0d5')
    terminal.press('Tab')
    await terminal.waitForEnd(`\n> GET ${key}`)
    terminal.press('C-c')
    await terminal.waitForEnd('Deleted (2 replicas)\n>')
    const other = open(instances[1])
    await other.waitForScreen(screen => screen.endsWith('\n>'), 'a prompt')
    other.press('Up')
    await other.waitForEnd(`\n> DELETE ${key}`)
    other.press('C-c')
    await other.waitForEnd('\n>')
    other.press('C-d')
    await other.waitForEnd('exit code 0')
    other.close()
  })

  it('ends at Ctrl-C where nothing is typed, with the exit code that shells give it', async () => {
    const other = open(instances[1])
    await other.waitForScreen(screen => screen.endsWith('\n>'), 'a prompt')
    other.press('C-c')
    await other.waitForEnd('exit code 130')
    other.close()
  })

  it('says below a majority that nothing was written, and how few are left', async () => {
    const leader = await instances[1]?.waitForLeader()
    const [here, there] = instances.slice(1)
    const dying = here?.address === leader ? here : there
    const last = dying === here ? there : here
    const shownBefore = terminal.screen().replace(/\n>$/, '')
    const start = shownBefore.split('Reconnected').length
    await dying?.kill()
    const warning = 'WARNING: cluster size (1) is smaller than a replication factor (2)!'
    await terminal.waitForEnd(`${warning}\n>`)
    // The client was with the leader, so it had to move.
    const screen = terminal.screen()
    expect(screen.split('Reconnected').length).to.equal(start + 1)
    expect(screen).to.equal(
      `${shownBefore}\nReconnected to a database of Warehouse 13 at ${last?.address}\n` +
        `Known nodes:\n${last?.address}\n${warning}\n>`,
    )
    terminal.enter(`SET ${key} value`)
    await terminal.waitForEnd(`> SET ${key} value\nError: no majority, nothing was written\n>`)
    terminal.enter(`GET ${key}`)
    await terminal.waitForEnd(`> GET ${key}\nError: no majority, nothing was read\n>`)
  })

  it('fails to write and read when every instance is dead, and goes on when one is back', async () => {
    for (const instance of instances) if (instance.isRunning) await instance.kill()
    terminal.enter(`SET ${key} value`)
    await terminal.waitForEnd(`> SET ${key} value\nFailed to write an entry\n>`)
    terminal.enter(`GET ${key}`)
    await terminal.waitForEnd(`> GET ${key}\nFailed to read an entry\n>`)
    for (const instance of instances) instance.launch()
    const nodes = instances.map(({ address }) => address)
    for (const instance of instances) await instance.waitForNodes(nodes)
    await terminal.waitForScreen(
      screen => /Failed to read an entry\nReconnected/.test(screen),
      'a reconnection',
    )
    terminal.enter(`SET ${key} value`)
    await terminal.waitForEnd(`> SET ${key} value\nCreated (2 replicas)\n>`)
    terminal.enter('EXIT')
    await terminal.waitForEnd('exit code 0')
  })
})

/** A line as the terminal shows it that is too narrow for it. */
function wrapped(line: string): string {
  const rows = line.match(new RegExp(`.{1,${terminalWidth}}`, 'g')) ?? []
  return rows.map(row => row.trimEnd()).join('\n')
}
