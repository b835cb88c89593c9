/**
 * Runs seeds of the ring's swarm: `node dist/test/ring/run.js [<count> [<first seed>]]`. Prints the seeds that fail,
 * and what is wrong; exits with 1 if there are any.
 */
import { runSeeds } from './seeds.js'
import { runSwarm } from './swarm.js'

runSeeds(seed => runSwarm(seed))
