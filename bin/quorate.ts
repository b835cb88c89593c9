#!/usr/bin/env node
/** One node: flags in, exit code out. */
import { runNode } from '../src/node/run.js'

process.exit(await runNode(process.argv.slice(2), process.env))
