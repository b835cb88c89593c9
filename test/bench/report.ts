/** What a run has found, as tables in Markdown: medians over the rounds, and ratios taken within each round. */
import type { BenchSettings, Findings, Measurement } from './bench.js'
import type { LoadResult } from './generator.js'
import type { Machine } from './machine.js'

/** The whole report. */
export function markdownReport(
  findings: Findings,
  machine: Machine,
  command: string,
  settings: BenchSettings,
): string {
  const tables = [...new Set(findings.measurements.map(({ table }) => table))]
  const sections = [
    conditions(machine, command, settings, findings),
    ...tables.map(table => gridSection(table, findings.measurements)),
    ...durationSections(findings),
    ...rateSection(findings),
    ...memorySection(findings),
    ...(findings.notes.length === 0 ? [] : [findings.notes.map(note => `- ${note}`).join('\n')]),
  ]
  return `${sections.join('\n\n')}\n`
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The median over the rounds of one system's figure divided by the other's in the same round. */
export function medianRatio(
  ours: readonly Measurement[],
  theirs: readonly Measurement[],
  figure: (result: LoadResult) => number,
): number {
  const ratios = ours.flatMap(({ round, result }) => {
    const other = theirs.find(one => one.round === round)
    return other === undefined ? [] : [figure(result) / figure(other.result)]
  })
  return median(ratios)
}

function conditions(machine: Machine, command: string, settings: BenchSettings, findings: Findings): string {
  const { versions } = machine
  const others = findings.measurements.map(({ result }) => result.otherCpuSeconds / result.seconds)
  const lines = [
    `- Command: \`${command}\`; ${settings.rounds} ${settings.rounds === 1 ? 'round' : 'rounds'} of ${settings.seconds} s, medians.`,
    `- ${machine.date}: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGb} GB, Linux ${machine.kernel}.`,
    `- Quorate ${versions['quorate']} on Node ${versions['node']}, etcd ${versions['etcd']}, Redis ${versions['redis']}, ` +
      `load generator in Go ${versions['go']}.`,
    `- Disk: ${machine.fileSystem}, ${whole(machine.flushesPerSecond)} flushes a second into a file of fixed size, ` +
      `${whole(machine.growingFlushesPerSecond)} into one that grows.`,
    `- Load average before the run: ${machine.loadBefore.toFixed(1)}.`,
  ]
  if (others.length > 0) {
    const shares = `median ${percent(median(others))}, at most ${percent(Math.max(...others))}`
    lines.push(`- Other programs used meanwhile, of one core: ${shares}.`)
  }
  return lines.join('\n')
}

/** A table of rates: a line for each number of clients, compared with the second system if there is one. */
function gridSection(table: string, all: readonly Measurement[]): string {
  const own = all.filter(one => one.table === table)
  const systems = [...new Set(own.map(({ system }) => system))].sort(oursFirst)
  const clients = [...new Set(own.map(one => one.clients))].sort((one, other) => one - other)
  const [ours = '', theirs] = systems
  const heads = ['clients']
  for (const name of systems) heads.push(`${name}: requests/s`)
  if (theirs !== undefined) heads.push('ratio')
  else if (clients.length > 1) heads.push('of the best')
  for (const name of systems) heads.push(`${name}: p50, p99, p99.9 ms`)
  if (theirs !== undefined) heads.push('p99 ratio')
  for (const name of systems) heads.push(`${name}: server CPU us/request`)
  heads.push('load generator CPU')
  const rates = clients.map(number =>
    median(own.filter(one => one.clients === number).map(({ result }) => result.perSecond)),
  )
  const best = Math.max(...rates)
  const rows = clients.map((number, at) => {
    const of = (name: string) => own.filter(one => one.system === name && one.clients === number)
    const middle = (name: string, figure: (result: LoadResult) => number) =>
      median(of(name).map(({ result }) => figure(result)))
    const row = [String(number)]
    for (const name of systems) row.push(whole(middle(name, ({ perSecond }) => perSecond)))
    if (theirs !== undefined) row.push(ratio(medianRatio(of(ours), of(theirs), ({ perSecond }) => perSecond)))
    else if (clients.length > 1) row.push(ratio((rates[at] ?? 0) / best))
    for (const name of systems) {
      const times = (['p50', 'p99', 'p999'] as const).map(at => middle(name, ({ all }) => all[at] / 1000))
      row.push(times.map(milliseconds).join(', '))
    }
    if (theirs !== undefined) row.push(ratio(medianRatio(of(ours), of(theirs), ({ all }) => all.p99)))
    for (const name of systems) row.push(whole(middle(name, serverCpuMicros)))
    row.push(
      systems.map(name => percent(middle(name, result => result.ownCpuSeconds / result.seconds))).join(', '),
    )
    return row
  })
  return `### ${table}\n\n${markdownTable(heads, rows)}\n\nErrors: ${errorsOf(own)}.`
}

/** CPU time of all servers of a system for one request. */
export function serverCpuMicros({ serverCpuSeconds, operations }: LoadResult): number {
  const seconds = Object.values(serverCpuSeconds ?? {}).reduce((sum, one) => sum + one, 0)
  return (seconds * 1e6) / Math.max(1, operations)
}

function errorsOf(measurements: readonly Measurement[]): string {
  const counts = new Map<string, number>()
  for (const { result, system } of measurements) {
    for (const [text, count] of Object.entries(result.errors)) {
      const what = `${system}: ${text}`
      counts.set(what, (counts.get(what) ?? 0) + count)
    }
  }
  return [...counts].map(([text, count]) => `${count} x ${text}`).join('; ') || 'none'
}

function durationSections({ durations }: Findings): string[] {
  return [...new Set(durations.map(({ what }) => what))].map(what => {
    const own = durations.filter(one => one.what === what)
    const rows = [...new Set(own.map(({ system }) => system))].map(system => {
      const times = own.filter(one => one.system === system).map(({ ms }) => ms)
      return [
        system,
        String(times.length),
        ...[median(times), Math.min(...times), Math.max(...times)].map(whole),
      ]
    })
    return `### ${what}\n\n${markdownTable(['system', 'times', 'median ms', 'best ms', 'worst ms'], rows)}`
  })
}

function rateSection({ rates }: Findings): string[] {
  if (rates.length === 0) return []
  const kinds = [...new Set(rates.map(({ what }) => what))]
  const systems = [...new Set(rates.map(({ system }) => system))]
  const rows = systems.map(system => [
    system,
    ...kinds.map(what => {
      const own = rates.filter(one => one.what === what && one.system === system)
      return whole(median(own.map(({ perSecond }) => perSecond)))
    }),
  ])
  return [`### redis-benchmark, requests a second\n\n${markdownTable(['system', ...kinds], rows)}`]
}

function memorySection({ memory }: Findings): string[] {
  if (memory.length === 0) return []
  const nodes = [...new Set(memory.map(({ node }) => node))]
  const moments = [...new Set(memory.map(({ seconds }) => seconds))]
  const rows = moments.map(seconds => [
    whole(seconds),
    ...nodes.map(node => {
      const sample = memory.find(one => one.seconds === seconds && one.node === node)
      const heap = sample?.heapMb === undefined ? '?' : whole(sample.heapMb)
      return sample === undefined ? '' : `${whole(sample.residentMb)}, ${heap}`
    }),
  ])
  const heads = ['seconds', ...nodes.map(node => `node ${node}: RSS, heap in MB`)]
  return [`### Memory at full load\n\n${markdownTable(heads, rows)}`]
}

function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Quorate before the others, and the one with more in it before the one with less. */
function oursFirst(one: string, other: string): number {
  const rank = (name: string) => (name.includes('few') ? 1 : name.startsWith('Quorate') ? 0 : 2)
  return rank(one) - rank(other)
}

function whole(value: number): string {
  return Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en-GB')
}

function ratio(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(2)
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

function milliseconds(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(1)
}
