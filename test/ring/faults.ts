/** Faults of a ring that come by chance, and what a ring must come to once they have ended. */
import type { NodeId } from '../../src/base/ids.js'
import type { Random } from '../../src/base/random.js'
import type { World } from './world.js'

/** How often faults come. */
export interface FaultPlan<Kind extends string> {
  /** Milliseconds between faults, about. */
  readonly faultMs: number
  /** How often it is each of these. */
  readonly faults: Readonly<Record<Kind, number>>
}

/** Has faults `strike` one after the other, until the time `endMs`. */
export function planFaults<Kind extends string>(
  world: World,
  random: Random,
  plan: FaultPlan<Kind>,
  endMs: number,
  strike: (kind: Kind) => void,
): void {
  world.after(random.float() * 2 * plan.faultMs, () => {
    if (world.nowMs >= endMs) return
    planFaults(world, random, plan, endMs, strike)
    // The keys of the record, of which the library says no more than that they are strings.
    const kinds = Object.keys(plan.faults) as Kind[]
    strike(random.pick(kinds.flatMap(kind => Array.from({ length: plan.faults[kind] }, () => kind))))
  })
}

/** Parts the nodes into so many sides, as it happens. */
export function partByChance(world: World, random: Random, count: number): void {
  const sides = Array.from({ length: count }, (): NodeId[] => [])
  for (const id of world.nodes.keys()) sides[random.below(count)]?.push(id)
  world.part(...sides)
}

/** Ends all faults and lets everything come to rest; `isMoving` is asked every now and then. Returns what does not. */
export function comeToRest(world: World, isMoving: () => boolean): string | undefined {
  world.heal()
  Object.assign(world.weather, { loss: 0, duplication: 0, lateness: 0, flushMs: 1 })
  for (const node of world.nodes.values()) if (node.ring === undefined) world.start(node.id)
  for (let wait = 0; wait < 300; wait++) {
    world.run(100)
    const moving = isMoving()
    // At first nothing may happen only because nobody has noticed yet that there is something to do.
    if (wait > 16 && !moving && world.unrest() === undefined) return undefined
  }
  return `no rest: ${world.unrest() ?? 'somebody comes or goes for ever'}`
}

/** Lets these nodes, which are all there are, forget what was deleted. Returns what is wrong, or undefined. */
export function forgetDeletions(world: World, nodes: () => readonly NodeId[]): string | undefined {
  const left = (): number => Math.max(...nodes().map(id => world.ring(id).status().tombstones))
  for (let wait = 0; wait < 300 && left() > 0; wait++) world.run(100)
  return left() > 0 ? 'tombstones are kept for ever' : world.unrest()
}
