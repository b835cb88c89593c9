#!/usr/bin/env node
/** One instance of the Warehouse 13 database: a node with other words, flags in, exit code out. */
import { runNode } from '../src/node/run.js'
import { warehouseProgram } from '../src/node/warehouse.js'

process.exit(await runNode(process.argv.slice(2), process.env, warehouseProgram))
