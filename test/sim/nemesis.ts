/**
 * What makes a run hard: the faults of machines, and those that try a leader, its links and the list of members. What
 * the nemesis does stays within what the database promises to survive; it heals everything when its time is over.
 */
import type { Member } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { Request, Response } from '../../src/protocol/request.js'
import { type Link, MachineFaults, type Scene } from './machine-faults.js'
import type { SimulatedNode } from './node.js'
import { type FaultKind, faultKinds, type Swarm } from './swarm.js'

/** What the nemesis acts on. */
export interface Victims extends Scene<SimulatedNode> {
  readonly swarm: Swarm
  /** The members' nodes, as far as anybody knows. */
  members(): readonly SimulatedNode[]
  /** A node that never was a member, running and waiting; undefined if there are enough. */
  makeSpare(): SimulatedNode | undefined
}

export class Nemesis {
  readonly #victims: Victims
  readonly #faults: MachineFaults<SimulatedNode>
  readonly #random: Random
  #damaged = 0
  #isCoupDue = false

  /** It acts from now until `untilMs`. */
  constructor(victims: Victims, untilMs: number) {
    this.#victims = victims
    this.#faults = new MachineFaults(victims, untilMs)
    this.#random = this.#faults.random
  }

  start(): void {
    this.#faults.plan(faultKinds, this.#victims.swarm.faultEveryMs, kind => this.#strike(kind))
  }

  /** Ends all faults. */
  heal(): void {
    this.#faults.heal()
  }

  /** A node was elected. If a coup is due it is cut off before anybody hears from it. */
  elected(node: SimulatedNode): void {
    if (!this.#isCoupDue || this.#faults.areOver) return
    this.#isCoupDue = false
    this.#isolate(node)
  }

  #strike(kind: FaultKind): void {
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
      case 'wall-clock':
        this.#faults.withOne(node => {
          node.machine.jumpWallClock(this.#random.pick([-3_600_000, -500, 500, 60_000, 700_000, 3_600_000]))
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
        this.#faults.strike(kind)
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
    const cuts: Link[] = []
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
      this.#withTwo((one, other) => this.#faults.breakBetween(one, other))
    } else {
      this.#faults.withOne(node => {
        this.#note(`breaks connections of ${node.name}`)
        for (const other of this.#victims.nodes()) {
          if (other !== node) network.breakConnections(node.name, other.name)
        }
      })
    }
  }

  #cut(links: readonly Link[]): void {
    this.#faults.cut(links, what => this.#note(what))
  }

  /** Damages the disk of a node that is down: it is lost, so only as many as a majority survives. */
  #damage(): void {
    const { swarm } = this.#victims
    if (this.#damaged >= Math.floor((swarm.nodes - 1) / 2)) return
    const node = this.#random.pick(this.#victims.nodes())
    node.cutPower()
    if (node.damage()) this.#damaged++
    this.#faults.after(100, () => node.start())
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

  #withTwo(act: (one: SimulatedNode, other: SimulatedNode) => void): void {
    this.#faults.withTwoOf(this.#victims.members(), act)
  }

  #shuffledNames(): string[] {
    const rest = this.#victims.nodes().map(node => node.name)
    const shuffled: string[] = []
    while (rest.length > 0) shuffled.push(...rest.splice(this.#random.below(rest.length), 1))
    return shuffled
  }

  #note(what: string): void {
    this.#victims.world.note('', what)
  }
}
