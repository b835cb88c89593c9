/**
 * Whether the other side of a connection on which we send still hears us. Now and then an empty line is sent,
 * which it answers with another; several without an answer mean that the connection is of no use, although
 * the system has not noticed. It notices late: while nothing gets through it tries again at ever longer
 * intervals, and goes on to wait when the network has long been whole again.
 *
 * What must always hold:
 * - a connection that moves is never given up, however long what waits before the question;
 * - a turn of our own loop that takes long counts as one missing answer at most.
 */
import type { Socket } from 'node:net'
import type { PeerLimits } from './peer-limits.js'
import type { PeerQueue } from './peer-queue.js'

/** The question, and the answer to it: a line with nothing in it. */
export const ping = Buffer.from('\n')

/** Watches one connection until it is closed; calls `onSilent` once if it has become useless. */
export function watchPulse(socket: Socket, queue: PeerQueue, limits: PeerLimits, onSilent: () => void): void {
  let unanswered = 0
  let wasWaiting = false
  const timer = setInterval(() => {
    // What the system could not take before and has taken since, it could take because something got through.
    if (queue.takeMoved() && wasWaiting) unanswered = 0
    wasWaiting = queue.bytes > 0
    if (unanswered >= limits.pingsUnansweredMax) {
      clearInterval(timer)
      onSilent()
      return
    }
    unanswered++
    queue.push([])
  }, limits.pingMs)
  socket.on('data', () => {
    unanswered = 0
  })
  socket.once('close', () => clearInterval(timer))
}
