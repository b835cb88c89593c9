/**
 * Runs a cluster on this machine, to try things out: starts the nodes, says how to talk to them, reports each exit, and
 * stops all of them on Ctrl-C.
 */
import { LocalCluster, type LocalNode } from './local-cluster.js'
import { waitUntilServing } from './local-readiness.js'
import { exitReport, forTerminal, greeting } from './local-terminal.js'
import { onStop } from './signals.js'

/** What is run, and for whom. */
export interface LocalRun {
  readonly nodes: readonly LocalNode[]
  /** The program to run with Node for each. */
  readonly program: string
  /** Further flags of every node. */
  readonly flags: readonly string[]
  /** Shows a line, or several, to people. */
  readonly print: (text: string) => void
}

/**
 * Starts the nodes, and returns when the last one has ended: whether because they were stopped.
 * @throws what the file system throws when the data directory cannot be used.
 */
export async function runLocalCluster(run: LocalRun): Promise<{ readonly wasStopped: boolean }> {
  const { nodes, program, flags, print } = run
  let isReady = false
  const cluster = new LocalCluster({
    nodes,
    program,
    flags,
    onLine: (node, line) => {
      // Between the start and the first leader, and while nodes stop, warnings only tell what is expected.
      const shown = forTerminal(line, isReady && !cluster.isStopping)
      if (shown !== undefined) print(`[${node.port}] ${shown}`)
    },
    onExit: (node, exit) => {
      if (!cluster.isStopping) print(exitReport(node, exit, cluster.running.length, program))
    },
  })
  onStop(
    () => {
      print(`\nStopping ${cluster.running.length} nodes. Another Ctrl-C kills them.`)
      cluster.stop()
    },
    () => cluster.kill(),
  )
  const serving = await waitUntilServing(cluster, print)
  if (serving !== undefined) {
    isReady = true
    print(greeting(cluster, nodes, serving.leader))
  }
  await cluster.allExited
  return { wasStopped: cluster.isStopping }
}
