#!/usr/bin/env node
/** One node: flags in, exit code out. */
import { mkdirSync } from 'node:fs'
import { readConfig } from '../src/node/config.js'
import { createLogger } from '../src/node/logger.js'
import { QuorateNode } from '../src/node/node.js'
import { realWorld } from '../src/node/real-world.js'
import { SettingError } from '../src/node/settings.js'
import { onStop } from '../src/node/signals.js'

async function main(): Promise<number> {
  const result = readConfig({ argv: process.argv.slice(2), env: process.env })
  if (result.kind === 'print') {
    console.log(result.text)
    return 0
  }
  const { config } = result
  mkdirSync(config.dataDirectory, { recursive: true })
  const log = createLogger({ level: config.logLevel, node: config.address })
  return new Promise((resolve, reject) => {
    QuorateNode.start(config, realWorld(config, log), ending => {
      log.error({}, ending.reason)
      resolve(ending.exitCode)
    }).then(node => {
      onStop(reason => {
        log.info({ reason }, 'asked to stop')
        node.stop().then(() => resolve(0), reject)
      })
    }, reject)
  })
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    console.error(`quorate: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(error instanceof SettingError ? 2 : 1)
  },
)
