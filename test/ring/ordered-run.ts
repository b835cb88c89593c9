/**
 * Runs seeds of the swarm for rings with a leader: `node dist/test/ring/ordered-run.js [<count> [<first seed>]]`.
 * Prints the seeds that fail, and what is wrong; exits with 1 if there are any.
 */
import { runOrderedSwarm } from './ordered-swarm.js'
import { runSeeds } from './seeds.js'

runSeeds(seed => runOrderedSwarm(seed))
