#!/usr/bin/env node
/**
 * Whether the node of this machine answers: exit code 0 if it does, 1 if it does not. For containers, which have
 * the environment of their node. Takes the settings of `quorate`.
 *
 * Any answer will do, also one without a leader: a node that waits for a majority is well, and to restart it
 * would help nobody.
 */
import { askStatus } from '../src/node/ask-status.js'
import { isEveryAddress, readConfig } from '../src/node/config.js'
import { SettingError } from '../src/node/settings.js'

const deadlineMs = 3000

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    // What only matters at a first start is for the node to judge.
    const result = readConfig({ argv: process.argv.slice(2), env: process.env, isFirstStart: () => false })
    if (result.kind === 'print') {
      console.log(result.text)
      return 0
    }
    const { listenHost, port } = result.config
    const said = await askStatus(reachable(listenHost), port, deadlineMs)
    console.log(said.kind === 'silent' ? said.why : said.text.trimEnd())
    return said.kind === 'silent' ? 1 : 0
  } catch (error) {
    if (!(error instanceof SettingError)) throw error
    console.error(`quorate-health: ${error.message}`)
    return 2
  }
}

/** Where this machine reaches what listens on `host`: on every address means also on the loopback. */
function reachable(host: string): string {
  if (!isEveryAddress(host)) return host
  return host.includes('.') ? '127.0.0.1' : '::1'
}
