/**
 * Faults that can happen to any node, whatever engine it runs: to its machine, its process, its disk and its links.
 * Each comes at a moment of its own and ends some time later. The nemesis of each engine says which kinds there are,
 * and adds those that are about its engine.
 */
import { unreachable } from '../../src/base/assert.js'
import type { Random } from '../../src/base/random.js'
import type { SimulatedDisk } from './disk.js'
import type { SimulatedNetwork } from './network.js'
import type { World } from './world.js'

/** The faults of one machine, or of all of them at once. */
export type MachineFault =
  | 'pause'
  | 'kill'
  | 'power'
  | 'blackout'
  | 'stop'
  | 'full-disk'
  | 'slow-disk'
  | 'failed-flush'

/** A node, as far as it can be harmed. */
export interface Victim {
  readonly name: string
  readonly disk: SimulatedDisk
  readonly isRunning: boolean
  readonly isStopping: boolean
  setFlushMs(range: readonly [low: number, high: number]): void
  start(): void
  pause(): void
  resume(): void
  stop(): void
  kill(): void
  cutPower(): void
}

/** Where faults happen. */
export interface Scene<Node extends Victim> {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly swarm: { readonly node: { readonly flushMs: readonly [low: number, high: number] } }
  /** All nodes that exist, those that were removed too. */
  nodes(): readonly Node[]
}

/** A way from one machine to another. */
export type Link = readonly [from: string, to: string]

export class MachineFaults<Node extends Victim> {
  /** The chance of all faults, and of what comes with them. */
  readonly random: Random
  readonly #scene: Scene<Node>
  readonly #untilMs: number
  readonly #down = new Set<Node>()

  /** They happen from now until `untilMs`. */
  constructor(scene: Scene<Node>, untilMs: number) {
    this.random = scene.world.random.fork('nemesis')
    this.#scene = scene
    this.#untilMs = untilMs
  }

  /** Their time is over. */
  get areOver(): boolean {
    return this.#scene.world.nowMs() >= this.#untilMs
  }

  /** Has every kind strike over and over, those that are missing in `everyMs` (the mean time between two) never. */
  plan<Kind>(kinds: readonly Kind[], everyMs: ReadonlyMap<Kind, number>, strike: (kind: Kind) => void): void {
    for (const kind of kinds) {
      const meanMs = everyMs.get(kind)
      if (meanMs !== undefined) this.#repeat(meanMs, () => strike(kind))
    }
  }

  strike(kind: MachineFault): void {
    const { random } = this
    switch (kind) {
      case 'pause':
        this.withOne(node => {
          node.pause()
          this.after(random.pick([10, 100, 1000, 3000]), () => node.resume())
        })
        break
      case 'kill':
        this.withOne(node => this.#takeDown(node, () => node.kill()))
        break
      case 'power':
        this.withOne(node => {
          // At a moment of our choosing, or in the midst of what it does to its disk.
          if (random.chance(0.5)) this.#takeDown(node, () => node.cutPower())
          else this.#takeDown(node, () => node.disk.powerCutAt(random.between(1, 20)))
        })
        break
      case 'blackout':
        for (const node of this.#scene.nodes()) this.#takeDown(node, () => node.cutPower())
        break
      case 'stop':
        this.withOne(node => {
          node.stop()
          this.after(500, () => this.#takeDown(node, () => node.kill()))
        })
        break
      case 'full-disk':
        this.withOne(node => {
          this.note(`fills the disk of ${node.name}`)
          node.disk.fillUp()
          this.after(random.pick([300, 3000]), () => node.disk.makeRoom())
        })
        break
      case 'slow-disk':
        this.withOne(node => {
          this.note(`slows the disk of ${node.name}`)
          node.setFlushMs([5, random.pick([20, 200])])
          this.after(random.pick([300, 3000]), () => node.setFlushMs(this.#scene.swarm.node.flushMs))
        })
        break
      case 'failed-flush':
        this.withOne(node => {
          this.note(`lets a flush of ${node.name} fail`)
          node.disk.failFlushes(1)
          // It is to stop by itself, and whoever looks after it starts it again.
          this.after(random.pick([300, 1000]), () => node.start())
        })
        break
      default:
        unreachable(kind)
    }
  }

  /** Cuts links for a while; `tell` hears what becomes of them. */
  cut(links: readonly Link[], tell: (what: string) => void = () => {}): void {
    const { network } = this.#scene
    for (const [from, to] of links) network.block(from, to)
    // What cuts the way may also reset what goes along it: then both sides know at once.
    if (this.random.chance(0.3)) {
      tell('and resets the connections')
      for (const [from, to] of links) network.breakConnections(from, to)
    }
    this.after(this.random.pick([50, 300, 1000, 4000]), () => {
      tell(`mends ${links.length} links`)
      for (const [from, to] of links) network.unblock(from, to)
    })
  }

  /** Breaks the connections between two nodes, as a router does that forgot them. */
  breakBetween(one: Node, other: Node): void {
    this.note(`breaks connections of ${one.name} and ${other.name}`)
    this.#scene.network.breakConnections(one.name, other.name)
  }

  /** Ends all faults: links, processes, disks. Those that cannot start again stay lost. */
  heal(): void {
    const { network } = this.#scene
    this.note('all faults end')
    network.heal()
    for (const node of this.#scene.nodes()) {
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

  withOne(act: (node: Node) => void): void {
    const running = this.#scene.nodes().filter(node => node.isRunning)
    if (running.length > 0) act(this.random.pick(running))
  }

  withTwoOf(nodes: readonly Node[], act: (one: Node, other: Node) => void): void {
    if (nodes.length < 2) return
    const one = this.random.pick(nodes)
    act(one, this.random.pick(nodes.filter(node => node !== one)))
  }

  /** What ends a fault, about this much later; it need not happen once all of them have ended. */
  after(delayMs: number, task: () => void): void {
    this.#scene.world.after(delayMs * (0.5 + this.random.float()), () => {
      if (!this.areOver) task()
    })
  }

  note(what: string): void {
    this.#scene.world.note('', what)
  }

  #repeat(meanMs: number, strike: () => void): void {
    this.#scene.world.after(2 * meanMs * this.random.float(), () => {
      if (this.areOver) return
      strike()
      this.#repeat(meanMs, strike)
    })
  }

  /** Ends a process in some way, and starts it again some time later. */
  #takeDown(node: Node, end: () => void): void {
    if (this.#down.has(node) || !node.isRunning) return
    this.#down.add(node)
    end()
    this.after(this.random.pick([5, 50, 500, 2500]), () => {
      this.#down.delete(node)
      node.start()
    })
  }
}
