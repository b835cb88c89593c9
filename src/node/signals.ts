/**
 * When a program of ours is to stop, and who says so.
 *
 * `quorate-cluster` starts its nodes with an IPC channel, which carries no messages: it is there to be closed.
 * The kernel closes it however the parent ends, also by SIGKILL, so no node is left behind. Such a node leaves
 * SIGINT to its parent, because Ctrl-C on a terminal goes to parent and children alike, and the parent passes
 * it on as SIGTERM; without this rule each node would be told twice by one Ctrl-C.
 */
import { constants } from 'node:os'

/** Why a program is to stop. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'the parent process is gone'

/**
 * Calls `stop` once, at the first SIGTERM or SIGINT, or when the parent that started this process with a
 * channel is gone. A signal after that ends the process at once, as if it were not handled: what is
 * acknowledged is on the disk. Does not keep the process running.
 */
export function onStop(stop: (reason: StopReason) => void): void {
  let isAsked = false
  const ask = (reason: StopReason) => {
    if (!isAsked) {
      isAsked = true
      stop(reason)
    } else if (reason !== 'the parent process is gone') {
      process.exit(128 + constants.signals[reason])
    }
  }
  const hasParent = process.connected === true
  process.on('SIGTERM', () => ask('SIGTERM'))
  process.on('SIGINT', () => {
    if (!hasParent) ask('SIGINT')
  })
  if (hasParent) {
    process.once('disconnect', () => ask('the parent process is gone'))
    process.channel?.unref()
  }
}
