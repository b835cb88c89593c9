/** What the test of signals starts: it says when it listens and what it is told, and stops at once or never. */
import { onStop } from '../../src/node/signals.js'

const keepRunning = setInterval(() => {}, 1000)
onStop(
  reason => {
    console.log(`stop: ${reason}`)
    if (process.argv[2] === 'stops') clearInterval(keepRunning)
  },
  signal => {
    console.log(`stop now: ${signal}`)
    process.exit(3)
  },
)
console.log('listening')
