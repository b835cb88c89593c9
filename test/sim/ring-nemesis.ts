/**
 * What makes a run of a ring hard: the faults of machines, and those of its links and of the list of members. No disk
 * is lost or damaged: a write that was acknowledged by one node must outlast everything else.
 */
import type { Random } from '../../src/base/random.js'
import type { Request } from '../../src/protocol/request.js'
import { type Link, MachineFaults, type Scene } from './machine-faults.js'
import type { SimulatedRingNode } from './ring-node.js'
import { type RingFaultKind, type RingSwarm, ringFaultKinds } from './ring-swarm.js'

/** What the nemesis acts on. */
export interface RingVictims extends Scene<SimulatedRingNode> {
  readonly swarm: RingSwarm
  /** A node that never was a member, running and waiting; undefined if there are enough. */
  makeSpare(): SimulatedRingNode | undefined
}

export class RingNemesis {
  readonly #victims: RingVictims
  readonly #faults: MachineFaults<SimulatedRingNode>
  readonly #random: Random

  /** It acts from now until `untilMs`. */
  constructor(victims: RingVictims, untilMs: number) {
    this.#victims = victims
    this.#faults = new MachineFaults(victims, untilMs)
    this.#random = this.#faults.random
  }

  start(): void {
    this.#faults.plan(ringFaultKinds, this.#victims.swarm.faultEveryMs, kind => this.#strike(kind))
  }

  /** Ends all faults. */
  heal(): void {
    this.#faults.heal()
  }

  #strike(kind: RingFaultKind): void {
    switch (kind) {
      case 'partition':
        this.#partition()
        break
      case 'one-way':
        this.#withTwo((one, other) => this.#cut([[one.name, other.name]]))
        break
      case 'break':
        this.#withTwo((one, other) => this.#faults.breakBetween(one, other))
        break
      case 'wall-clock':
        this.#faults.withOne(node => {
          node.machine.jumpWallClock(this.#random.pick([-3_600_000, -500, 500, 3_600_000]))
        })
        break
      case 'membership':
        this.#changeMembers()
        break
      default:
        this.#faults.strike(kind)
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

  #cut(links: readonly Link[]): void {
    this.#note(`cuts ${links.map(([from, to]) => `${from}>${to}`).join(' ')}`)
    this.#faults.cut(links)
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

  #withTwo(act: (one: SimulatedRingNode, other: SimulatedRingNode) => void): void {
    this.#faults.withTwoOf(this.#victims.nodes(), act)
  }

  #note(what: string): void {
    this.#victims.world.note('', what)
  }
}
