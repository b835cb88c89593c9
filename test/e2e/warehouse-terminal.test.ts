/** A session of warehouse-cli in a real terminal, against three real instances that are killed one by one. */
import { expect } from 'chai'
import { stopAll, temporaryDirectory } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { closeTerminals, type Terminal } from '../support/tmux.js'
import { startWarehouse, type WarehouseInstance } from '../support/warehouse.js'
import { openTerminal, playSession, wrapped } from '../support/warehouse-terminal.js'

const key = '0d5d3807-5fbf-4228-a657-5a091c4e497f'

describe('warehouse-cli in a terminal, on consensus', () => {
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

  it('shows the session to the letter', async () => {
    terminal = openTerminal(instances[0], historyFile)
    await playSession(terminal, instances)
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
    const other = openTerminal(instances[1], historyFile)
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
    const other = openTerminal(instances[1], historyFile)
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
