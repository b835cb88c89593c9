/** Writes replies of the Redis protocol, in either of its versions. */
import { unreachable } from '../../base/assert.js'
import type { ByteWriter } from '../byte-writer.js'
import type { RespReply, RespVersion } from './reply.js'

/** Writes the whole reply to `out`. */
export function writeReply(reply: RespReply, version: RespVersion, out: ByteWriter): void {
  switch (reply.kind) {
    case 'status':
      if (reply.text === 'OK') out.bytes(ok)
      else out.text(`+${oneLine(reply.text)}\r\n`)
      break
    case 'error':
      out.text(`-${oneLine(reply.text)}\r\n`)
      break
    case 'integer':
      out.text(`:${reply.value}\r\n`)
      break
    case 'bytes':
      writeBytes('$', reply.value, out)
      break
    case 'nil':
      out.bytes(version === 2 ? nilString : nil)
      break
    case 'nil-array':
      out.bytes(version === 2 ? nilArray : nil)
      break
    case 'list':
    case 'array':
      writeItems('*', reply.items, version, out)
      break
    case 'set':
      writeItems(version === 2 ? '*' : '~', reply.items, version, out)
      break
    case 'map':
      out.text(version === 2 ? `*${reply.entries.length * 2}\r\n` : `%${reply.entries.length}\r\n`)
      for (const [name, value] of reply.entries) {
        writeReply(name, version, out)
        writeReply(value, version, out)
      }
      break
    case 'verbatim':
      if (version === 2) writeBytes('$', Buffer.from(reply.text), out)
      else writeBytes('=', Buffer.from(`txt:${reply.text}`), out)
      break
    default:
      unreachable(reply)
  }
}

/** About how many bytes a reply takes. */
export function replyBytes(reply: RespReply): number {
  switch (reply.kind) {
    case 'status':
    case 'error':
    case 'verbatim':
      return reply.text.length
    case 'bytes':
      return reply.value.length
    case 'list':
    case 'array':
    case 'set': {
      let bytes = 0
      for (const item of reply.items) bytes += replyBytes(item) + itemBytes
      return bytes
    }
    case 'map': {
      let bytes = 0
      for (const [name, value] of reply.entries) bytes += replyBytes(name) + replyBytes(value) + 2 * itemBytes
      return bytes
    }
    default:
      return 0
  }
}

/** What an item takes beside what is in it. */
const itemBytes = 16

const ok = Buffer.from('+OK\r\n')
const nil = Buffer.from('_\r\n')
const nilString = Buffer.from('$-1\r\n')
const nilArray = Buffer.from('*-1\r\n')
const lineEnding = Buffer.from('\r\n')

function writeBytes(mark: '$' | '=', bytes: Uint8Array, out: ByteWriter): void {
  out.text(`${mark}${bytes.length}\r\n`)
  out.bytes(bytes)
  out.bytes(lineEnding)
}

function writeItems(
  mark: '*' | '~',
  items: readonly RespReply[],
  version: RespVersion,
  out: ByteWriter,
): void {
  out.text(`${mark}${items.length}\r\n`)
  for (const item of items) writeReply(item, version, out)
}

/** A reason may come from another machine, or repeat a client's word: it must not add lines of its own. */
function oneLine(text: string): string {
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, ' ') : text
}
