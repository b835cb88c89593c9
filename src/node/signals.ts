/**
 * When a program of ours is to stop, and who says so.
 *
 * `quorate-cluster` starts its nodes with an IPC channel, which carries no messages: it is there to be closed.
 * The kernel closes it however the parent ends, also by SIGKILL, so no node is left behind. Such a node leaves
 * SIGINT to its parent, because Ctrl-C on a terminal goes to parent and children alike, and the parent passes
 * it on as SIGTERM; without this rule each node would be told twice by one Ctrl-C. The same goes for SIGHUP, when the
 * terminal is closed.
 */
import { constants } from 'node:os'

/** Why a program is to stop. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'the parent process is gone'

/**
 * Signals so soon after the first are the same wish: one Ctrl-C reaches a program twice when `npm` runs it,
 * from the terminal and from npm. Nobody presses the key again so fast.
 */
const sameWishMs = 500

/**
 * Calls `stop` once, at the first SIGTERM, SIGINT or SIGHUP (its terminal was closed), or when the parent that started
 * this process with a channel is gone, which may be before this is called. A SIGTERM or SIGINT after that calls
 * `stopNow`, which by default ends the process as if the signal were not handled; what is acknowledged is on the disk.
 * Does not keep the process running.
 */
export function onStop(
  stop: (reason: StopReason) => void,
  stopNow: (signal: 'SIGINT' | 'SIGTERM') => void = signal => process.exit(128 + constants.signals[signal]),
): void {
  let askedAtMs: number | undefined
  const ask = (reason: StopReason) => {
    const nowMs = performance.now()
    if (askedAtMs === undefined) {
      askedAtMs = nowMs
      stop(reason)
    } else if (isUrgent(reason) && nowMs - askedAtMs >= sameWishMs) {
      stopNow(reason)
    }
  }
  // Undefined for a process that never had a channel, false for one whose parent is gone already.
  const hasParent = process.connected !== undefined
  process.on('SIGTERM', () => ask('SIGTERM'))
  for (const signal of ['SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (!hasParent) ask(signal)
    })
  }
  if (process.connected === false) ask('the parent process is gone')
  if (process.connected === true) {
    process.once('disconnect', () => ask('the parent process is gone'))
    process.channel?.unref()
  }
}

/** Whether somebody says so by hand, who may lose patience. */
function isUrgent(reason: StopReason): reason is 'SIGINT' | 'SIGTERM' {
  return reason === 'SIGINT' || reason === 'SIGTERM'
}
