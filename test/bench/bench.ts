/** One run of the comparison: which systems are up, and what was measured so far. */
import { setTimeout } from 'node:timers/promises'
import { usageOf } from '../../bin/bench/linux.js'
import { type LoadFlags, type LoadResult, runGenerator } from './generator.js'
import {
  planSystem,
  type Speech,
  type Surroundings,
  type System,
  type SystemPlan,
  speechOf,
} from './systems.js'

/** What the run was asked for. */
export interface BenchSettings {
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly clients: readonly number[]
  readonly keys: number
  readonly manyKeys: number
  readonly fewKeys: number
  readonly kills: number
  readonly memorySeconds: number
}

/** The result of one run of the load generator. */
export interface Measurement {
  /** Which table it belongs to. */
  readonly table: string
  readonly system: string
  readonly clients: number
  readonly round: number
  readonly result: LoadResult
}

/** A time that something took, once. */
export interface Duration {
  readonly what: string
  readonly system: string
  readonly ms: number
}

/** A rate that was measured by another program than our load generator. */
export interface Rate {
  readonly what: string
  readonly system: string
  readonly round: number
  readonly perSecond: number
}

/** What a process held at some moment. */
export interface MemorySample {
  readonly seconds: number
  readonly node: number
  readonly residentMb: number
  readonly heapMb: number | undefined
}

/** Everything that a run has found. */
export interface Findings {
  readonly measurements: Measurement[]
  readonly durations: Duration[]
  readonly rates: Rate[]
  readonly memory: MemorySample[]
  /** What a reader of the figures must know. */
  readonly notes: string[]
}

const settleWindowMs = 250
const settleDeadlineMs = 5000
/** Of one core, for all systems together: ticks and heartbeats. */
const settledShare = 0.15

/** How long a system bears each kind of load before it is measured: measured, nodes of Quorate compile for about 20 s. */
const warmUpLoadSeconds = 7

/** What is asked of a system in one measurement. */
export interface LoadPlan {
  readonly table: string
  readonly reads: number
  readonly clients: number
  readonly round: number
  readonly pipeline?: number
  readonly seconds?: number
  /** Where the system is spoken to otherwise than as itself. */
  readonly speech?: Speech
  readonly flags?: LoadFlags
}

/** See the head of this file. */
export class Bench {
  readonly settings: BenchSettings
  readonly surroundings: Surroundings
  readonly findings: Findings = { measurements: [], durations: [], rates: [], memory: [], notes: [] }
  readonly #systems = new Map<string, System>()
  readonly #tell: (line: string) => void

  constructor(settings: BenchSettings, surroundings: Surroundings, tell: (line: string) => void) {
    this.settings = settings
    this.surroundings = surroundings
    this.#tell = tell
  }

  /** Has exactly these systems run, each with its keys in it; others are stopped and keep their data. */
  async have(...plans: readonly SystemPlan[]): Promise<System[]> {
    const names = new Set(plans.map(({ name }) => name))
    for (const system of this.#systems.values()) {
      if (!names.has(system.plan.name) && system.isRunning) await system.stop()
    }
    const wanted: System[] = []
    for (const plan of plans) {
      const system = this.#systems.get(plan.name) ?? (await planSystem(plan, this.surroundings))
      this.#systems.set(plan.name, system)
      if (!system.servers.every(server => server.isRunning)) {
        this.tell(`starting ${plan.name} with ${plan.keys} keys`)
        await system.start()
      }
      wanted.push(system)
    }
    return wanted
  }

  /** Puts load on a system's leader, and keeps what was found. */
  async measure(system: System, plan: LoadPlan): Promise<LoadResult> {
    const { table, clients, round } = plan
    await this.settle()
    const result = await this.#load(system, plan)
    this.findings.measurements.push({ table, system: system.plan.name, clients, round, result })
    const p99 = (result.all.p99 / 1000).toFixed(1)
    const errors = Object.entries(result.errors).map(([text, count]) => `, ${count} x ${text}`)
    this.tell(
      `${table}, round ${round + 1}, ${clients} clients, ${system.plan.name}: ` +
        `${Math.round(result.perSecond)}/s, p99 ${p99} ms${errors.join('')}`,
    )
    if (result.missing > 0) {
      // A system that loses what it has acknowledged has no rate.
      throw new Error(`${system.plan.name} has lost ${result.missing} of ${result.checked} writes`)
    }
    return result
  }

  /**
   * Puts load on a system that is not measured. A program that compiles itself while it runs is then as it will be for
   * the rest of its days.
   */
  async warmUp(system: System, plan: LoadPlan): Promise<void> {
    this.tell(`warming up ${system.plan.name}: ${plan.table}`)
    await this.#load(system, { ...plan, seconds: warmUpLoadSeconds })
  }

  async #load(system: System, plan: LoadPlan): Promise<LoadResult> {
    const { warmUpSeconds, seconds } = this.settings
    return await runGenerator(this.surroundings.generator, {
      mode: 'load',
      system: plan.speech ?? speechOf(system.plan),
      target: (await system.leader()).address,
      pids: system.pids,
      clients: plan.clients,
      pipeline: plan.pipeline ?? 1,
      reads: plan.reads,
      seconds: plan.seconds ?? seconds,
      'warm-up': warmUpSeconds,
      keys: system.plan.keys,
      'value-bytes': this.surroundings.valueBytes,
      ...plan.flags,
    })
  }

  /** Waits until no system is at work any more on what the last measurement has left, within reason. */
  async settle(): Promise<void> {
    const endMs = performance.now() + settleDeadlineMs
    let before = this.#cpuSeconds()
    for (;;) {
      await setTimeout(settleWindowMs)
      const now = this.#cpuSeconds()
      if (((now - before) * 1000) / settleWindowMs < settledShare || performance.now() > endMs) return
      before = now
    }
  }

  /** What all systems have used so far. */
  #cpuSeconds(): number {
    const servers = [...this.#systems.values()].flatMap(system => system.servers)
    const used = servers.map(server => (server.isRunning ? usageOf(server.pid)?.cpuSeconds : undefined) ?? 0)
    return used.reduce((sum, one) => sum + one, 0)
  }

  tell(line: string): void {
    this.#tell(line)
  }

  /** Says something that a reader of the report must know, and keeps it for that. */
  note(line: string): void {
    this.findings.notes.push(line)
    this.tell(line)
  }

  /** Ends every server. */
  async close(): Promise<void> {
    await Promise.all([...this.#systems.values()].map(system => system.kill()))
  }
}
