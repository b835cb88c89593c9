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
  const numbers = [...new Set(own.map(({ clients }) => clients))].sort((one, other) => one - other)
  const columns = gridColumns(own, numbers)
  const rows = numbers.map(clients => columns.map(({ cell }) => cell(clients)))
  const heads = columns.map(({ head }) => head)
  return `### ${table}\n\n${markdownTable(heads, rows)}\n\nErrors: ${errorsOf(own)}`
}

interface Column {
  readonly head: string
  cell(clients: number): string
}

function gridColumns(own: readonly Measurement[], numbers: readonly number[]): Column[] {
  const systems = [...new Set(own.map(({ system }) => system))].sort(oursFirst)
  const [ours = '', theirs] = systems
  const of = (name: string, clients: number) =>
    own.filter(one => one.system === name && one.clients === clients)
  const middle = (name: string, clients: number, figure: Figure) =>
    median(of(name, clients).map(({ result }) => figure(result)))
  const forEach = (head: string, cell: (name: string, clients: number) => string): Column[] =>
    systems.map(name => ({ head: `${name}: ${head}`, cell: clients => cell(name, clients) }))
  const compared = (head: string, figure: Figure): Column[] => {
    if (theirs === undefined) return []
    return [{ head, cell: clients => ratio(medianRatio(of(ours, clients), of(theirs, clients), figure)) }]
  }
  const best = Math.max(...numbers.map(clients => middle(ours, clients, rate)))
  const ofTheBest: Column = {
    head: 'of the best',
    cell: clients => ratio(middle(ours, clients, rate) / best),
  }
  const ownShare = ({ ownCpuSeconds, seconds }: LoadResult) => ownCpuSeconds / seconds
  return [
    { head: 'clients', cell: String },
    ...forEach('requests/s', (name, clients) => whole(middle(name, clients, rate))),
    ...compared('ratio', rate),
    ...(theirs === undefined && numbers.length > 1 ? [ofTheBest] : []),
    ...forEach('p50, p99, p99.9 ms', (name, clients) =>
      latencyFigures.map(figure => milliseconds(middle(name, clients, figure) / 1000)).join(', '),
    ),
    ...compared('p99 ratio', ({ all }) => all.p99),
    ...forEach('server CPU us/request', (name, clients) => whole(middle(name, clients, serverCpuMicros))),
    ...compared('CPU ratio', serverCpuMicros),
    {
      head: 'load generator CPU',
      cell: clients => systems.map(name => percent(middle(name, clients, ownShare))).join(', '),
    },
  ]
}

type Figure = (result: LoadResult) => number

const rate: Figure = ({ perSecond }) => perSecond
const latencyFigures: readonly Figure[] = [({ all }) => all.p50, ({ all }) => all.p99, ({ all }) => all.p999]

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
  const isSecond = (name: string) => name.includes('few') || name.startsWith('Bare')
  const rank = (name: string) => (isSecond(name) ? 1 : name.startsWith('Quorate') ? 0 : 2)
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
