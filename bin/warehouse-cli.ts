#!/usr/bin/env node
/** `warehouse-cli`: the interactive client of Warehouse 13. Flags in, exit code out. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { runWarehouseCli } from '../src/client/warehouse-cli.js'
import { flags, helpText } from '../src/node/flags.js'
import { readSettings, SettingError, type SettingTable, wantsHelp } from '../src/node/settings.js'
import { duration, host, path, port } from '../src/node/values.js'
import { programVersion } from '../src/node/version.js'
import { formatAddress } from '../src/protocol/address.js'

/** The settings of this program. */
const cliFlags = {
  host: {
    is: host,
    value: '<host>',
    only: 'flag',
    default: '127.0.0.1',
    reason: 'An instance listens there unless it is told otherwise.',
    summary: 'Connects to the instance on this host; -H for short',
  },
  port: {
    is: port,
    value: '<port>',
    only: 'flag',
    default: '8765',
    reason: 'The port of an instance unless it is told otherwise.',
    summary: 'Connects to the instance on this port; -P for short',
  },
  'heartbeat-interval': {
    is: duration('ms', 10, 60_000),
    value: '<ms>',
    unit: 'ms',
    only: 'flag',
    default: '1000',
    reason: 'Warnings then appear within about a second.',
    summary: 'How often the instance is asked for its state',
  },
  timeout: {
    is: duration('ms', 10, 300_000),
    value: '<ms>',
    unit: 'ms',
    only: 'flag',
    default: '10000',
    reason: 'A new leader is found within it, whatever happened to the last one.',
    summary: 'How long an answer may take',
  },
  json: { ...flags.help, reason: 'Most who type are people.', summary: 'Answers are objects of JSON' },
  history: {
    is: path,
    value: '<file>',
    only: 'flag',
    defaultShown: '~/.warehouse_history',
    reason: 'Each user has one.',
    summary: 'Keeps typed lines here',
  },
  help: flags.help,
  version: flags.version,
} as const satisfies SettingTable

process.exitCode = await main(process.argv.slice(2).flatMap(inFull))

async function main(argv: readonly string[]): Promise<number> {
  try {
    if (wantsHelp(argv)) {
      const introduction = 'The interactive client of the Warehouse 13 database.'
      process.stdout.write(
        `${helpText(introduction, 'warehouse-cli [-H <host>] [-P <port>] [flags]', cliFlags)}\n`,
      )
      return 0
    }
    const settings = readSettings(cliFlags, { argv, env: {} })
    if (settings.version === true) {
      process.stdout.write(`${programVersion()}\n`)
      return 0
    }
    return await runWarehouseCli({
      address: formatAddress({ host: settings.host, port: settings.port }),
      heartbeatIntervalMs: settings['heartbeat-interval'],
      timeoutMs: settings.timeout,
      isJson: settings.json === true,
      historyFile: settings.history ?? join(homedir(), '.warehouse_history'),
    })
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    process.stderr.write(`warehouse-cli: ${error.message}\n`)
    return 2
  }
}

/** The two short flags as the long ones: `-H here`, `-Hhere`. */
function inFull(word: string): string[] {
  const [, letter, value] = /^-([HP])(.*)$/s.exec(word) ?? []
  if (letter === undefined) return [word]
  const flag = letter === 'H' ? '--host' : '--port'
  return value === undefined || value === '' ? [flag] : [flag, value]
}
