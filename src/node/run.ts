/** The life of a node's process, from its flags to its exit code. */
import { ListenError } from '../net/listen.js'
import { openDataDirectory } from '../storage/data-directory.js'
import { type NodeConfig, type Program, readConfig } from './config.js'
import { createLogger } from './logger.js'
import { QuorateNode } from './node.js'
import { realWorld } from './real-world.js'
import { SettingError } from './settings.js'
import { onStop, type StopReason } from './signals.js'

/** Exit codes: ended as asked; failed; called with settings that cannot be. */
const exitCodes = { ok: 0, failed: 1, usage: 2 } as const

/**
 * Runs a node until it is told to stop or must; returns the exit code, having said what went wrong. As `quorate`
 * unless another program is given.
 */
export async function runNode(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  program?: Program,
): Promise<number> {
  const name = program?.name ?? 'quorate'
  try {
    const result = readConfig({ argv, env }, program)
    if (result.kind === 'run') return await run(result.config)
    console.log(result.text)
    return exitCodes.ok
  } catch (error) {
    console.error(`${name}: ${explain(error)}`)
    return error instanceof SettingError ? exitCodes.usage : exitCodes.failed
  }
}

async function run(config: NodeConfig): Promise<number> {
  // Asked for before anything is opened: as process 1 of a container a signal without a handler is lost.
  const toldToStop = new Promise<StopReason>(resolve => onStop(resolve))
  const log = createLogger({ level: config.logLevel, node: config.address })
  const directory = await openDataDirectory(config.dataDirectory)
  try {
    return await new Promise((resolve, reject) => {
      const started = QuorateNode.start(config, realWorld(config, directory, log), ending => {
        log.fatal({}, ending.reason)
        // The log may be a file for machines; why a program ended is for people.
        if (config.preset === 'warehouse') console.error(`warehouse: ${ending.reason}`)
        resolve(ending.exitCode)
      })
      started
        .then(async node => {
          log.info({ reason: await toldToStop }, 'asked to stop')
          await node.stop()
          resolve(exitCodes.ok)
        })
        .catch(reject)
    })
  } finally {
    await directory.close()
  }
}

/** What went wrong, and what to do about it. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (!(error instanceof ListenError) || error.code !== 'EADDRINUSE') return error.message
  return `${error.message}. Stop what uses it, or choose another with --port or --peer-port.`
}
