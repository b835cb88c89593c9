/** How a benchmark is shown: a table for people, and what must be said beside it. */
import type { Load } from './load.js'
import type { ReadBackReport } from './read-back.js'
import type { StageReport } from './stage.js'

/** The line that is shown while a stage runs. */
export function liveLine(clients: number, load: Load, elapsedSeconds: number, seconds: number): string {
  const perSecond = whole((load.done + load.absent) / Math.max(elapsedSeconds, 0.001))
  const p99 = load.latencies.count === 0 ? '-' : milliseconds(load.latencies.percentile(99) / 1000)
  const errors = [...load.errors.values()].reduce((sum, count) => sum + count, 0)
  const left = Math.max(0, Math.ceil(seconds - elapsedSeconds))
  return `${clients} clients: ${perSecond} requests/s, p99 ${p99} ms, ${whole(errors)} errors, ${left} s left`
}

/** All stages, a line each, and below what is worth knowing about them. */
export function stageTable(stages: readonly StageReport[]): string {
  const heads = [
    'clients',
    'pipeline',
    'reads',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'max ms',
    'errors',
    'server us/request',
    'flushes/s',
    'writes/flush',
    'own CPU',
  ]
  const rows = stages.map(stage => [
    String(stage.clients),
    String(stage.pipeline),
    `${stage.reads}%`,
    whole(stage.perSecond),
    ...[stage.latencyMs.p50, stage.latencyMs.p99, stage.latencyMs.p999, stage.latencyMs.max].map(
      milliseconds,
    ),
    whole(Object.values(stage.errors).reduce((sum, count) => sum + count, 0)),
    stage.servers.map(({ cpuMicrosPerRequest }) => whole(cpuMicrosPerRequest)).join(' + ') || '-',
    stage.diskFlushes === undefined ? '-' : whole(stage.diskFlushes.perSecond),
    stage.diskFlushes === undefined ? '-' : stage.diskFlushes.writesPerFlush.toFixed(1),
    `${Math.round(stage.ownCpuShare * 100)}%`,
  ])
  return [...columns([heads, ...rows]), ...stages.flatMap(remarks)].join('\n')
}

/** What was found when the sample was read back, in a sentence. */
export function readBackText({ sampled, missing, unread, doubted }: ReadBackReport): string {
  const doubt = doubted === 0 ? '' : ` ${whole(doubted)} keys with writes of unknown outcome were left out.`
  if (sampled === 0) return `Nothing was acknowledged, so there was nothing to read back.${doubt}`
  if (missing.length === 0 && unread === 0) {
    return `Read back ${whole(sampled)} keys: all hold what was acknowledged.${doubt}`
  }
  const named = missing.slice(0, 5).join(', ')
  const lost =
    missing.length === 0 ? '' : ` ${whole(missing.length)} do not hold what was acknowledged (${named}).`
  const silent = unread === 0 ? '' : ` ${whole(unread)} could not be read.`
  return `Read back ${whole(sampled)} keys:${lost}${silent}${doubt}`
}

function remarks(stage: StageReport): string[] {
  const of = `With ${stage.clients} clients`
  const lines: string[] = []
  if (stage.isGeneratorBound) {
    const share = Math.round(stage.ownCpuShare * 100)
    lines.push(
      `${of} this program used ${share}% of its one core: it was the bottleneck, the servers can do more.`,
    )
  }
  if (stage.absent > 0) lines.push(`${of} ${whole(stage.absent)} reads found no value.`)
  for (const [text, count] of Object.entries(stage.errors)) lines.push(`${of} ${whole(count)} times: ${text}`)
  return lines
}

/** Lines of right-aligned columns. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map(row => (row[at] ?? '').length)))
  return rows.map(row => row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  '))
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-GB')
}

function milliseconds(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(1)
}
