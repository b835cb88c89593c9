/** Loaded into a node beside its own program: writes how large its memory is, every few seconds. */
import { appendFile } from 'node:fs'

const everyMs = 5000
const path = process.env['HEAP_REPORT_PATH']

if (path !== undefined) {
  setInterval(() => {
    const line = JSON.stringify({ atMs: Date.now(), ...process.memoryUsage() })
    // A line that cannot be written is missing in the report; the node must not care.
    appendFile(path, `${line}\n`, () => {})
  }, everyMs).unref()
}
