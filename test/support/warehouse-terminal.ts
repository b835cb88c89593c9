/** warehouse-cli in a real terminal, and the session that the page about it shows. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { programPath } from './processes.js'
import { Terminal, terminalWidth } from './tmux.js'
import type { WarehouseInstance } from './warehouse.js'

/** The addresses of the page, in the order in which the instances join. */
const addressesShown = ['127.0.0.1:8765', '127.0.0.1:9876', '127.0.0.1:8697']

/** Opens a terminal in which the client talks to that instance. */
export function openTerminal(instance: WarehouseInstance | undefined, historyFile: string): Terminal {
  if (instance === undefined) throw new Error('there is no such instance')
  const place = ['-H', '127.0.0.1', '-P', String(instance.port)]
  const settings = ['--history', historyFile, '--timeout', '3500ms']
  return new Terminal([process.execPath, programPath('warehouse-cli'), ...place, ...settings])
}

/**
 * Types what the session of docs/warehouse.md types, and waits after each line until the screen shows what the page
 * does, to the letter. Nothing may have been typed before.
 */
export async function playSession(
  terminal: Terminal,
  instances: readonly WarehouseInstance[],
): Promise<void> {
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
}

/** A line as the terminal shows it that is too narrow for it. */
export function wrapped(line: string): string {
  const rows = line.match(new RegExp(`.{1,${terminalWidth}}`, 'g')) ?? []
  return rows.map(row => row.trimEnd()).join('\n')
}

/** The session that the page shows, without the command that begins it; its prompts are bare `>`. */
function sessionShown(): string {
  const page = readFileSync(fileURLToPath(new URL('../../../docs/warehouse.md', import.meta.url)), 'utf8')
  const [, block] = /<!-- transcript: session -->\n```\n\$ warehouse-cli .*\n([\s\S]*?)\n```/.exec(page) ?? []
  if (block === undefined) throw new Error('the page shows no session')
  return block
}
