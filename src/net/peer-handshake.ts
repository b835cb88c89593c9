/**
 * The opening of a peer connection: two lines of JSON. The caller says who it is and whom it expects to find,
 * the other side answers who it is or why it refuses. Nothing else is read before that.
 *
 * ```
 * {"hello":{"protocol":1,"cluster":"...","node":"...","address":"...","peerAddress":"..."},"expected":"..."}
 * {"welcome":{"protocol":1,"cluster":"...","node":"...","address":"...","peerAddress":"..."}}
 * {"refused":"cluster","detail":{"...":"..."}}
 * ```
 *
 * In all versions of the protocol, `hello` and `welcome` are objects with a number `protocol`, and a refusal
 * looks like this; the rest is looked at only once the versions are known to be equal.
 */
import type { Socket } from 'node:net'
import { clusterId, type NodeId, nodeId } from '../base/ids.js'
import { parseAddress } from '../protocol/address.js'
import type { PeerHello, Refusal, RefusalCode } from './transport.js'

/** What a caller said first. */
export type Opening =
  | { readonly kind: 'hello'; readonly hello: PeerHello; readonly expected: NodeId }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** What the other side answered; undefined stands for an answer that is none. */
export type Answer =
  | { readonly kind: 'welcome'; readonly hello: PeerHello }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | undefined

/** The caller's opening line, newline included: who it is, and which node it expects to find. */
export function writeHello(hello: PeerHello, expected: NodeId): string {
  return `${JSON.stringify({ hello, expected })}\n`
}

/** The line that takes a connection, newline included. After it the caller may send its messages. */
export function writeWelcome(own: PeerHello): string {
  return `${JSON.stringify({ welcome: own })}\n`
}

/** The line that turns a caller away and says why, newline included. It is the last one on its connection. */
export function writeRefusal(refusal: Refusal): string {
  return `${JSON.stringify({ refused: refusal.code, detail: refusal.detail })}\n`
}

/** Reads the line that opened a connection; undefined stands for one that was too long. */
export function readOpening(line: Buffer | undefined, own: PeerHello): Opening {
  const message = line === undefined ? undefined : parsedObject(line)
  const found = message?.['hello']
  if (message === undefined || !isObject(found)) return malformed(own)
  const otherVersion = versionRefusal(found['protocol'], own)
  if (otherVersion !== undefined) return { kind: 'refused', refusal: otherVersion }
  const hello = readHello(found)
  const expected = message['expected']
  if (hello === undefined || !isName(expected)) return malformed(own)
  return { kind: 'hello', hello, expected: nodeId(expected) }
}

/**
 * Reads the answer to our hello. Our own hello is no answer: it comes back where the system connected us to
 * ourselves, as it may when nobody listens on a port of this machine. A welcome is checked against what we wanted as the other side checked us: one
 * by somebody else is a refusal of ours.
 */
export function readAnswer(line: Buffer | undefined, own: PeerHello, expected: NodeId): Answer {
  const message = line === undefined ? undefined : parsedObject(line)
  if (message === undefined) return undefined
  const { refused, detail, welcome } = message
  if (isRefusalCode(refused)) {
    return { kind: 'refused', refusal: { code: refused, detail: isTexts(detail) ? detail : {} } }
  }
  if (!isObject(welcome)) return undefined
  const otherVersion = versionRefusal(welcome['protocol'], own)
  if (otherVersion !== undefined) return { kind: 'refused', refusal: otherVersion }
  const hello = readHello(welcome)
  if (hello === undefined) return undefined
  const refusal = mismatch(hello, own, expected)
  return refusal === undefined ? { kind: 'welcome', hello } : { kind: 'refused', refusal }
}

/**
 * Gives the first line that comes on a connection, without its newline, and what came after it; no line if it is
 * longer than `bytesMax`. Whoever is called takes over reading the socket.
 */
export function onFirstLine(
  socket: Socket,
  bytesMax: number,
  done: (line: Buffer | undefined, rest: Buffer) => void,
): void {
  const onData = firstLineReader(bytesMax, (line, rest) => {
    socket.off('data', onData)
    done(line, rest)
  })
  socket.on('data', onData)
}

/** Whoever is to be given what comes, up to the first newline; see {@link onFirstLine}. Nothing is given to it after that. */
export function firstLineReader(
  bytesMax: number,
  done: (line: Buffer | undefined, rest: Buffer) => void,
): (bytes: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return chunk => {
    const end = chunk.indexOf(0x0a)
    const length = held.length + (end === -1 ? chunk.length : end)
    if (length <= bytesMax) held = Buffer.concat([held, end === -1 ? chunk : chunk.subarray(0, end)])
    if (length <= bytesMax && end === -1) return
    if (length > bytesMax) done(undefined, Buffer.alloc(0))
    else done(held, chunk.subarray(end + 1))
  }
}

function readHello(plain: Readonly<Record<string, unknown>>): PeerHello | undefined {
  const { protocol, cluster, node, address, peerAddress } = plain
  if (typeof protocol !== 'number' || !isName(cluster) || !isName(node)) return undefined
  if (!isAddress(address) || !isAddress(peerAddress)) return undefined
  return { protocol, cluster: clusterId(cluster), node: nodeId(node), address, peerAddress }
}

function versionRefusal(protocol: unknown, own: PeerHello): Refusal | undefined {
  if (protocol === own.protocol) return undefined
  if (typeof protocol !== 'number') return { code: 'malformed', detail: { reason: 'no protocol version' } }
  // `here` is the one who refuses, `there` the one who hears it.
  return { code: 'protocol', detail: { here: String(own.protocol), there: String(protocol) } }
}

function mismatch(hello: PeerHello, own: PeerHello, expected: NodeId): Refusal | undefined {
  if (hello.cluster !== own.cluster) {
    return { code: 'cluster', detail: { expected: own.cluster, found: hello.cluster } }
  }
  if (hello.node !== expected) return { code: 'identity', detail: { expected, found: hello.node } }
  return undefined
}

/** Most likely somebody took this port for the one that clients use, so the reason names that one. */
function malformed(own: PeerHello): Opening {
  const reason = `not a hello of a Quorate node; clients connect to ${own.address}`
  return { kind: 'refused', refusal: { code: 'malformed', detail: { reason } } }
}

const refusalCodes = {
  malformed: true,
  protocol: true,
  cluster: true,
  identity: true,
  removed: true,
  stranger: true,
} as const satisfies Record<RefusalCode, true>

function isRefusalCode(value: unknown): value is RefusalCode {
  return typeof value === 'string' && Object.hasOwn(refusalCodes, value)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && parseAddress(value) !== undefined
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every(each => typeof each === 'string')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsedObject(line: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
