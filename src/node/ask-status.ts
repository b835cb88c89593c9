/** Asks a node for its status the way a person does: over the client port, in the text dialect. */
import { connect } from 'node:net'

/** What a node said to `status`. */
export type StatusAnswer =
  /**
   * `leader` as the node shows it; undefined for `Leader: none`. It serves where there is a leader, or none is
   * needed and the node belongs to a ring.
   */
  | {
      readonly kind: 'status'
      readonly leader: string | undefined
      readonly serves: boolean
      readonly text: string
    }
  /** It lives, and cannot tell: the `ERROR:` line. */
  | { readonly kind: 'error'; readonly text: string }
  /** Nobody listens, nobody answers in time, or whoever answers is not Quorate. */
  | { readonly kind: 'silent'; readonly why: string }

/** A status line names every member; far more than this is no status. */
const answerLengthMax = 1024 * 1024

/** Asks once; answers within about `deadlineMs`, always. */
export function askStatus(host: string, port: number, deadlineMs: number): Promise<StatusAnswer> {
  return new Promise(resolve => {
    let received = ''
    const socket = connect({ host, port })
    const answer = (said: StatusAnswer) => {
      clearTimeout(deadline)
      socket.destroy()
      resolve(said)
    }
    const deadline = setTimeout(
      () => answer({ kind: 'silent', why: `no answer within ${deadlineMs} ms` }),
      deadlineMs,
    )
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.end('status\n'))
    socket.on('data', (chunk: string) => {
      received += chunk
      const said = readStatus(received)
      if (said !== undefined) answer(said)
      else if (received.length > answerLengthMax) answer({ kind: 'silent', why: 'it is not a Quorate node' })
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      answer({ kind: 'silent', why: error.code === 'ECONNREFUSED' ? 'nobody listens' : error.message })
    })
    socket.on('close', () => answer({ kind: 'silent', why: 'it closed the connection' }))
  })
}

/** Finds the answer in what has come so far, behind a banner perhaps; undefined while it is incomplete. */
function readStatus(received: string): StatusAnswer | undefined {
  const status = /^Cluster Status:\r?\nLeader: (.+)\r?\n(?:.*\r?\n)*?Sync Status: .*\r?\n/m.exec(received)
  if (status !== null) {
    const [text, shown = 'none'] = status
    const leader = shown.startsWith('none') ? undefined : shown
    const isInRing = shown === 'none (leaderless)' && !text.includes('\nActive Nodes: []')
    return { kind: 'status', leader, serves: leader !== undefined || isInRing, text }
  }
  const error = /^ERROR: .*(?=\r?\n)/m.exec(received)
  return error === null ? undefined : { kind: 'error', text: error[0] }
}
