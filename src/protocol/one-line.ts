/** Which values the text dialect can show as they are. */
import { isUtf8 } from './utf8.js'

const newline = 0x0a
const carriageReturn = 0x0d

/** Whether a value is valid UTF-8 that a reader of lines takes for one line, and unchanged. */
export function isOneLine(value: Uint8Array): boolean {
  return !value.includes(newline) && value[value.length - 1] !== carriageReturn && isUtf8(value)
}
