/** A process of its own for the tests: opens the data directory it is given, says how it went, and stays. */
import { openDataDirectory } from '../../src/storage/data-directory.js'

try {
  await openDataDirectory(process.argv[2] ?? '')
  console.log('open')
} catch (error) {
  console.log(error instanceof Error ? error.message : error)
}
// Until it is killed, or whoever started it is gone.
process.stdin.on('end', () => process.exit())
process.stdin.resume()
