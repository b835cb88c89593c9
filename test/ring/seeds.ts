/** Runs seeds of a swarm by hand, from the words behind the program's name: `[<count> [<first seed>]]`. */

/** Prints the seeds that fail, and what is wrong; the program exits with 1 if there are any. */
export function runSeeds(run: (seed: string) => string | undefined): void {
  const [count = '1000', first = '1'] = process.argv.slice(2)
  let failures = 0
  const startedAt = process.cpuUsage()
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
    let failure: string | undefined
    try {
      failure = run(String(seed))
    } catch (error) {
      failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
    if (failure === undefined) continue
    failures++
    console.log(`seed ${seed}: ${failure}`)
  }
  const seconds = (process.cpuUsage(startedAt).user / 1e6).toFixed(1)
  console.log(`${count} seeds, ${failures} failed, ${seconds} s of CPU`)
  process.exitCode = failures === 0 ? 0 : 1
}
