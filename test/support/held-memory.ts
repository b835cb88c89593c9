/** What memory is held, as against what was let go and is not collected yet: when that is differs between versions of Node.js. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
// Node.js has no other way to collect garbage now than what V8 calls so, in contexts that are made after the flag was set.
const collectGarbage: unknown = runInNewContext('gc')

/** Bytes in buffers that this process holds. It takes some ten milliseconds. */
export function heldBufferBytes(): number {
  if (typeof collectGarbage !== 'function') throw new Error('this Node.js cannot be told to collect garbage')
  // What the first one finds is given back by the second one at the latest.
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}
