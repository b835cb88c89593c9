/**
 * What makes a run hard: faults, each kind at moments of its own, each with its own end. What the nemesis does
 * stays within what the database promises to survive; it heals everything when its time is over.
 */
import { unreachable } from '../../src/base/assert.js'
import type { Member } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { Request, Response } from '../../src/protocol/request.js'
import type { SimulatedNetwork } from './network.js'
import type { SimulatedNode } from './node.js'
import { type FaultKind, faultKinds, type Swarm } from './swarm.js'
import type { World } from './world.js'

/** What the nemesis acts on. */
export interface Victims {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly swarm: Swarm
  /** All nodes that exist, those that were removed too. */
  nodes(): readonly SimulatedNode[]
  /** The members' nodes, as far as anybody knows. */
  members(): readonly SimulatedNode[]
  /** A node that never was a member, running and waiting; undefined if there are enough. */
  makeSpare(): SimulatedNode | undefined
}

export class Nemesis {
  readonly #victims: Victims
  readonly #random: Random
  readonly #untilMs: number
  readonly #down = new Set<SimulatedNode>()
  #damaged = 0
  #isCoupDue = false

  /** It acts from now until `untilMs`. */
  constructor(victims: Victims, untilMs: number) {
    this.#victims = victims
    this.#random = victims.world.random.fork('nemesis')
    this.#untilMs = untilMs
  }

  start(): void {
    for (const kind of faultKinds) {
      const everyMs = this.#victims.swarm.faultEveryMs.get(kind)
      if (everyMs !== undefined) this.#plan(kind, everyMs)
    }
  }

  /** Ends all faults: links, processes, disks. Those whose disks were damaged stay lost. */
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

  /** A node was elected. If a coup is due it is cut off before anybody hears from it. */
  elected(node: SimulatedNode): void {
    if (!this.#isCoupDue || this.#victims.world.nowMs() >= this.#untilMs) return
    this.#isCoupDue = false
    this.#isolate(node)
  }

  #plan(kind: FaultKind, everyMs: number): void {
    const { world } = this.#victims
    world.after(2 * everyMs * this.#random.float(), () => {
      if (world.nowMs() >= this.#untilMs) return
      this.#strike(kind)
      this.#plan(kind, everyMs)
    })
  }

  #strike(kind: FaultKind): void {
    const random = this.#random
    switch (kind) {
      case 'partition':
        this.#partition()
        break
      case 'isolation':
        this.#isolate(this.#victims.nodes().find(node => node.replica?.raft.role.kind === 'leader'))
        break
      case 'coup':
        this.#isCoupDue = true
        break
      case 'one-way':
        this.#cutOneWay()
        break
      case 'break':
        this.#break()
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
        this.#withOne(node => {
          node.machine.jumpWallClock(random.pick([-3_600_000, -500, 500, 60_000, 700_000, 3_600_000]))
        })
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
      case 'damage':
        this.#damage()
        break
      case 'transfer':
        this.#withTwo((asked, next) => {
          this.#ask(asked, { op: 'transfer-leader', address: next.member.address })
        })
        break
      case 'membership':
        this.#changeMembers()
        break
      default:
        unreachable(kind)
    }
  }

  #partition(): void {
    const names = this.#shuffledNames()
    if (names.length < 2) return
    const cut = this.#random.pick(['halves', 'bridge', 'isolated'] as const)
    const half = cut === 'isolated' ? 1 : Math.ceil(names.length / 2)
    const left = names.slice(0, half)
    const right = names.slice(half)
    // With a bridge, one node still reaches both halves.
    const bridge = cut === 'bridge' ? names[0] : undefined
    const cuts: [string, string][] = []
    for (const one of left) {
      for (const other of right) if (one !== bridge) cuts.push([one, other], [other, one])
    }
    this.#note(`cuts [${left}] from [${right}]${bridge === undefined ? '' : `, ${bridge} is a bridge`}`)
    this.#cut(cuts)
  }

  /** Cuts off a leader: nobody's absence tries the others more, and nobody does more harm by going on alone. */
  #isolate(leader: SimulatedNode | undefined): void {
    if (leader === undefined) return
    const others = this.#victims.nodes().flatMap(node => (node === leader ? [] : [node.name]))
    this.#note(`cuts the leader ${leader.name} from all others`)
    this.#cut(others.flatMap(other => [[leader.name, other] as const, [other, leader.name] as const]))
    const { faultEveryMs } = this.#victims.swarm
    if (faultEveryMs.has('membership') && this.#random.chance(0.5)) this.#removeOnBothSides(leader)
  }

  /** Asks for a removal where the old leader is, which does not know yet, and where the next one will be. */
  #removeOnBothSides(leader: SimulatedNode): void {
    const members = this.#victims.members()
    const others = members.filter(node => node !== leader)
    if (others.length < 2) return
    const request = (node: SimulatedNode): Request => ({ op: 'remove-member', address: node.member.address })
    this.#ask(leader, request(this.#random.pick(others)))
    // Whoever is elected finds it waiting.
    const removed = this.#random.pick(members)
    for (const other of others) this.#ask(other, request(removed))
  }

  #cutOneWay(): void {
    this.#withTwo((one, other) => {
      this.#note(`cuts the way from ${one.name} to ${other.name}`)
      this.#cut([[one.name, other.name]])
    })
  }

  /** Breaks connections as a router does that forgot them: two nodes', or all of one node's. */
  #break(): void {
    const { network } = this.#victims
    if (this.#random.chance(0.5)) {
      this.#withTwo((one, other) => {
        this.#note(`breaks connections of ${one.name} and ${other.name}`)
        network.breakConnections(one.name, other.name)
      })
    } else {
      this.#withOne(node => {
        this.#note(`breaks connections of ${node.name}`)
        for (const other of this.#victims.nodes()) {
          if (other !== node) network.breakConnections(node.name, other.name)
        }
      })
    }
  }

  #cut(cuts: readonly (readonly [string, string])[]): void {
    const { network } = this.#victims
    for (const [from, to] of cuts) network.block(from, to)
    // What cuts the way may also reset what goes along it: then both sides know at once.
    if (this.#random.chance(0.3)) {
      this.#note('and resets the connections')
      for (const [from, to] of cuts) network.breakConnections(from, to)
    }
    this.#after(this.#random.pick([50, 300, 1000, 4000]), () => {
      this.#note(`mends ${cuts.length} links`)
      for (const [from, to] of cuts) network.unblock(from, to)
    })
  }

  /** Ends a process in some way, and starts it again some time later. */
  #takeDown(node: SimulatedNode, end: () => void): void {
    if (this.#down.has(node) || !node.isRunning) return
    this.#down.add(node)
    end()
    this.#after(this.#random.pick([5, 50, 500, 2500]), () => {
      this.#down.delete(node)
      node.start()
    })
  }

  /** Damages the disk of a node that is down: it is lost, so only as many as a majority survives. */
  #damage(): void {
    const { swarm } = this.#victims
    if (this.#damaged >= Math.floor((swarm.nodes - 1) / 2)) return
    const node = this.#random.pick(this.#victims.nodes())
    node.cutPower()
    if (node.damage()) this.#damaged++
    this.#after(100, () => node.start())
  }

  #changeMembers(): void {
    const random = this.#random
    const members = this.#victims.members()
    const asked = random.pick(members)
    const spare = random.chance(0.6) ? this.#victims.makeSpare() : undefined
    if (spare !== undefined) {
      const member: Member = spare.member
      this.#ask(asked, { op: 'add-member', member })
    } else if (members.length > 1) {
      this.#ask(asked, { op: 'remove-member', address: random.pick(members).member.address })
    }
  }

  #ask(node: SimulatedNode, request: Request): void {
    if (!node.isRunning) return
    const what = 'member' in request ? request.member.address : 'address' in request ? request.address : ''
    this.#note(`asks ${node.name} to ${request.op} ${what}`)
    const onAnswer = (response: Response): void => {
      const text =
        response.kind === 'error' ? `${response.code} ${response.details?.['reason'] ?? ''}` : response.kind
      this.#note(`hears of ${request.op} ${what}: ${text}`)
    }
    node.deliver(() => node.submit(request, onAnswer))
  }

  #withOne(act: (node: SimulatedNode) => void): void {
    const running = this.#victims.nodes().filter(node => node.isRunning)
    if (running.length > 0) act(this.#random.pick(running))
  }

  #withTwo(act: (one: SimulatedNode, other: SimulatedNode) => void): void {
    const nodes = this.#victims.members()
    if (nodes.length < 2) return
    const one = this.#random.pick(nodes)
    act(one, this.#random.pick(nodes.filter(node => node !== one)))
  }

  #shuffledNames(): string[] {
    const rest = this.#victims.nodes().map(node => node.name)
    const shuffled: string[] = []
    while (rest.length > 0) shuffled.push(...rest.splice(this.#random.below(rest.length), 1))
    return shuffled
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
