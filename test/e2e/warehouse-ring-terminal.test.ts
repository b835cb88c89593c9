/**
 * A session of warehouse-cli in a real terminal on the ring engine, against three real instances that are killed one
 * by one down to the last, and then that one as well.
 */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { stopAll, temporaryDirectory } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { closeTerminals, type Terminal } from '../support/tmux.js'
import { ringFlags, startWarehouse, type WarehouseInstance } from '../support/warehouse.js'
import { openTerminal, playSession, wrapped } from '../support/warehouse-terminal.js'

const warning = 'WARNING: cluster size (1) is smaller than a replication factor (2)!'
const patienceMs = 30_000

describe('warehouse-cli in a terminal, on the ring', () => {
  let instances: WarehouseInstance[]
  let terminal: Terminal
  /** A document that is on the first two instances. */
  let elsewhere: string
  const key = randomUUID()

  before(async function () {
    requires(this, 'tmux')
    // The dead are not replaced while the test looks.
    instances = await startWarehouse(3, [...ringFlags, '--node-timeout=600s'])
  })
  after(async function () {
    closeTerminals()
    await stopAll.call(this)
  })

  it('shows the session to the letter', async () => {
    terminal = openTerminal(instances[0], `${temporaryDirectory()}/history`)
    await playSession(terminal, instances)
  })

  it('shows where a document is kept, as the instance does', async () => {
    const [first, second, third] = instances
    const there = [first?.address, second?.address]
    do {
      elsewhere = randomUUID()
    } while (!isSame((await third?.ask(`NODES ${elsewhere}`))?.split(' '), there))
    terminal.enter(`NODES ${elsewhere}`)
    const kept = (await third?.ask(`NODES ${elsewhere}`))?.replace(' ', '\n')
    await terminal.waitForEnd(`> NODES ${elsewhere}\n${kept}\n>`)
    terminal.enter(`SET ${elsewhere} kept elsewhere`)
    await terminal.waitForEnd(`> SET ${elsewhere} kept elsewhere\nCreated (2 replicas)\n>`)
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
    // The next in the order of joining leads.
    expect(screen).to.equal(
      `${start}\nReconnected to a database of Warehouse 13 at ${survivors[0]}\n` +
        `Known nodes:\n${survivors.join('\n')}\n${shownLine}`,
    )
    terminal.press('Enter')
    await terminal.waitForScreen(
      shown => /\nCreated \((1 replica|2 replicas)\)\n>$/.test(shown),
      'that the document was created',
    )
    terminal.enter(`GET ${elsewhere}`)
    await terminal.waitForEnd(`> GET ${elsewhere}\nkept elsewhere\n>`)
  })

  it('serves down to the last instance, and warns that there are fewer than copies', async () => {
    const shownBefore = terminal.screen().replace(/\n>$/, '')
    const killedAtMs = performance.now()
    await instances[1]?.kill()
    const screen = await terminal.waitForEnd(`${warning}\n>`)
    console.log(`      reconnected after ${(performance.now() - killedAtMs).toFixed(0)} ms`)
    const last = instances[2]?.address
    expect(screen).to.equal(
      `${shownBefore}\nReconnected to a database of Warehouse 13 at ${last}\nKnown nodes:\n${last}\n${warning}\n>`,
    )
    const other = randomUUID()
    terminal.enter(`SET ${other} written to the last`)
    await terminal.waitForEnd('\nCreated (1 replica)\n>')
    terminal.enter(`GET ${other}`)
    await terminal.waitForEnd(`> GET ${other}\nwritten to the last\n>`)
    terminal.enter(`DELETE ${other}`)
    await terminal.waitForEnd(`> DELETE ${other}\nDeleted (1 replica)\n>`)
    terminal.enter(`GET ${other}`)
    await terminal.waitForEnd(`> GET ${other}\nNot found\n>`)
  })

  it('says of an entry whose replicas are all down that it is unavailable, and never that there is none', async () => {
    terminal.enter(`GET ${elsewhere}`)
    await terminal.waitForEnd(`> GET ${elsewhere}\nError: entry unavailable, its replicas are down\n>`)
    expect(await instances[2]?.ask(`GET ${elsewhere}`)).to.equal(
      'Error: entry unavailable, its replicas are down',
    )
  })

  it('fails to write and read when every instance is dead, and goes on when they are back', async () => {
    await instances[2]?.kill()
    terminal.enter(`SET ${key} never`)
    await terminal.waitForEnd(`> SET ${key} never\nFailed to write an entry\n>`)
    terminal.enter(`GET ${key}`)
    await terminal.waitForEnd(`> GET ${key}\nFailed to read an entry\n>`)
    for (const instance of instances) instance.launch()
    const nodes = instances.map(({ address }) => address)
    for (const instance of instances) await instance.waitForNodes(nodes)
    await terminal.waitForScreen(
      screen => /Failed to read an entry\nReconnected/.test(screen),
      'a reconnection',
      patienceMs,
    )
    terminal.enter(`GET ${elsewhere}`)
    await terminal.waitForEnd(`> GET ${elsewhere}\nkept elsewhere\n>`)
    terminal.enter(`GET ${key}`)
    await terminal.waitForScreen(screen => / wide end\n>$/.test(screen), 'the document')
    terminal.enter(`SET ${key} value`)
    await terminal.waitForEnd(`> SET ${key} value\nUpdated (2 replicas)\n>`)
    terminal.enter('EXIT')
    await terminal.waitForEnd('exit code 0')
  })
})

/** Whether they hold the same, in whatever order. */
function isSame(left: readonly unknown[] | undefined, right: readonly unknown[]): boolean {
  return left?.length === right.length && right.every(one => left.includes(one))
}
