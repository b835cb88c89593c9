/**
 * What makes a run of a ring hard: faults, each kind at moments of its own, each with its own end; see nemesis.ts.
 * No disk is lost or damaged: a write that was acknowledged by one node must outlast everything else.
 */
import { unreachable } from '../../src/base/assert.js'
import type { Random } from '../../src/base/random.js'
import type { Request } from '../../src/protocol/request.js'
import type { SimulatedNetwork } from './network.js'
import type { SimulatedRingNode } from './ring-node.js'
import { type RingFaultKind, type RingSwarm, ringFaultKinds } from './ring-swarm.js'
import type { World } from './world.js'

/** What the nemesis acts on. */
export interface RingVictims {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly swarm: RingSwarm
  /** All nodes that exist. */
  nodes(): readonly SimulatedRingNode[]
  /** A node that never was a member, running and waiting; undefined if there are enough. */
  makeSpare(): SimulatedRingNode | undefined
}

export class RingNemesis {
  readonly #victims: RingVictims
  readonly #random: Random
  readonly #untilMs: number
  readonly #down = new Set<SimulatedRingNode>()

  /** It acts from now until `untilMs`. */
  constructor(victims: RingVictims, untilMs: number) {
    this.#victims = victims
    this.#random = victims.world.random.fork('nemesis')
    this.#untilMs = untilMs
  }

  start(): void {
    for (const kind of ringFaultKinds) {
      const everyMs = this.#victims.swarm.faultEveryMs.get(kind)
      if (everyMs !== undefined) this.#plan(kind, everyMs)
    }
  }

  /** Ends all faults: links, processes, disks. */
  heal(): void {
    const { world, network } = this.#victims
    world.note('', 'all faults end')
    network.heal()
    for (const node of this.#victims.nodes()) {
      node.disk.makeRoom()
      node.disk.failFlushes(0)
      node.disk.powerCutAt(Number.POSITIVE_INFINITY)
      node.setFlushMs([0, 0.3])
      node.resume()
      // A process that was asked to stop is on its way out.
      if (node.isStopping) node.kill()
      node.start()
    }
    this.#down.clear()
  }

  #plan(kind: RingFaultKind, everyMs: number): void {
    const { world } = this.#victims
    world.after(2 * everyMs * this.#random.float(), () => {
      if (world.nowMs() >= this.#untilMs) return
      this.#strike(kind)
      this.#plan(kind, everyMs)
    })
  }

  #strike(kind: RingFaultKind): void {
    const random = this.#random
    const { network } = this.#victims
    switch (kind) {
      case 'partition':
        this.#partition()
        break
      case 'one-way':
        this.#withTwo((one, other) => this.#cut([[one.name, other.name]]))
        break
      case 'break':
        this.#withTwo((one, other) => {
          this.#note(`breaks connections of ${one.name} and ${other.name}`)
          network.breakConnections(one.name, other.name)
        })
        break
      case 'pause':
        this.#withOne(node => {
          node.pause()
          this.#after(random.pick([10, 100, 1000, 3000]), () => node.resume())
        })
        break
      case 'kill':
        this.#withOne(node => this.#takeDown(node, () => node.kill()))
        break
      case 'power':
        this.#withOne(node => {
          // At a moment of our choosing, or in the midst of what it does to its disk.
          if (random.chance(0.5)) this.#takeDown(node, () => node.cutPower())
          else this.#takeDown(node, () => node.disk.powerCutAt(random.between(1, 20)))
        })
        break
      case 'blackout':
        for (const node of this.#victims.nodes()) this.#takeDown(node, () => node.cutPower())
        break
      case 'stop':
        this.#withOne(node => {
          node.stop()
          this.#after(500, () => this.#takeDown(node, () => node.kill()))
        })
        break
      case 'wall-clock':
        this.#withOne(node => node.machine.jumpWallClock(random.pick([-3_600_000, -500, 500, 3_600_000])))
        break
      case 'full-disk':
        this.#withOne(node => {
          this.#note(`fills the disk of ${node.name}`)
          node.disk.fillUp()
          this.#after(random.pick([300, 3000]), () => node.disk.makeRoom())
        })
        break
      case 'slow-disk':
        this.#withOne(node => {
          this.#note(`slows the disk of ${node.name}`)
          node.setFlushMs([5, random.pick([20, 200])])
          this.#after(random.pick([300, 3000]), () => node.setFlushMs(this.#victims.swarm.node.flushMs))
        })
        break
      case 'failed-flush':
        this.#withOne(node => {
          this.#note(`lets a flush of ${node.name} fail`)
          node.disk.failFlushes(1)
          // It is to stop by itself, and whoever looks after it starts it again.
          this.#after(random.pick([300, 1000]), () => node.start())
        })
        break
      case 'membership':
        this.#changeMembers()
        break
      default:
        unreachable(kind)
    }
  }

  /** Up to three sides, which hear nothing of each other. */
  #partition(): void {
    const sides = new Map(this.#victims.nodes().map(({ name }) => [name, this.#random.below(3)]))
    const names = [...sides.keys()]
    const cuts = names.flatMap(one =>
      names.flatMap(other => (sides.get(one) === sides.get(other) ? [] : [[one, other] as const])),
    )
    this.#cut(cuts)
  }

  #cut(cuts: readonly (readonly [string, string])[]): void {
    const { network } = this.#victims
    this.#note(`cuts ${cuts.map(([from, to]) => `${from}>${to}`).join(' ')}`)
    for (const [from, to] of cuts) network.block(from, to)
    // What cuts the way may also reset what goes along it: then both sides know at once.
    if (this.#random.chance(0.3)) for (const [from, to] of cuts) network.breakConnections(from, to)
    this.#after(this.#random.pick([50, 300, 1000, 4000]), () => {
      for (const [from, to] of cuts) network.unblock(from, to)
    })
  }

  /** Ends a process in some way, and starts it again some time later. */
  #takeDown(node: SimulatedRingNode, end: () => void): void {
    if (this.#down.has(node) || !node.isRunning) return
    this.#down.add(node)
    end()
    this.#after(this.#random.pick([5, 50, 500, 2500]), () => {
      this.#down.delete(node)
      node.start()
    })
  }

  #changeMembers(): void {
    const members = this.#victims.nodes().filter(({ ring }) => ring?.standing === 'member')
    if (members.length === 0) return
    const asked = this.#random.pick(members)
    const spare = this.#random.chance(0.6) ? this.#victims.makeSpare() : undefined
    if (spare !== undefined) this.#ask(asked, { op: 'add-member', member: spare.member })
    else if (members.length > 2) this.#ask(asked, { op: 'leave' })
  }

  #ask(node: SimulatedRingNode, request: Request): void {
    this.#note(`asks ${node.name}: ${request.op}`)
    node.deliver(() =>
      node.submit(request, response => {
        this.#note(
          `hears of ${request.op} from ${node.name}: ${response.kind === 'error' ? response.code : response.kind}`,
        )
      }),
    )
  }

  #withOne(act: (node: SimulatedRingNode) => void): void {
    const running = this.#victims.nodes().filter(node => node.isRunning)
    if (running.length > 0) act(this.#random.pick(running))
  }

  #withTwo(act: (one: SimulatedRingNode, other: SimulatedRingNode) => void): void {
    const nodes = this.#victims.nodes()
    if (nodes.length < 2) return
    const one = this.#random.pick(nodes)
    act(one, this.#random.pick(nodes.filter(node => node !== one)))
  }

  /** What ends a fault need not happen once all of them have ended. */
  #after(delayMs: number, task: () => void): void {
    const { world } = this.#victims
    world.after(delayMs * (0.5 + this.#random.float()), () => {
      if (world.nowMs() < this.#untilMs) task()
    })
  }

  #note(what: string): void {
    this.#victims.world.note('', what)
  }
}
