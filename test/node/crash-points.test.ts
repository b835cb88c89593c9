/**
 * Crash points of a whole node: the power is cut at every operation of its disk in turn (each write, flush,
 * rename, removal, creation), what was not flushed is lost in every way there is a name for, and the node
 * starts again from what is left. Of these cuts, some are followed by a second one at every operation of the
 * recovery.
 */
import { expect } from 'chai'
import { type Loss, losses } from '../sim/loss.js'
import type { SimulatedNode } from '../sim/node.js'
import { CrashCluster, type CrashOptions } from './crash-cluster.js'

/** A life that is cut short. */
interface Scenario {
  readonly nodes: number
  readonly inlineFlushes: boolean
  readonly linkMs: number
  /** Every so many of the cuts are followed by second ones. */
  readonly secondCutEvery: number
  readonly losses: readonly Loss[]
  /** Runs with the power going at the `cutAt`-th operation of the part that is looked at. */
  live(run: CrashCluster, cutAt: number): void
  /** Gets the cluster going again after the cut, and shows that it lost nothing and works. */
  comeBack(run: CrashCluster): void
}

describe('a node whose power goes at any operation of its disk', () => {
  for (const inlineFlushes of [true, false]) {
    const where = inlineFlushes ? 'within' : 'beside'
    it(`founds its cluster, takes writes, and loses none, with flushes ${where} its loop`, function () {
      this.timeout(300_000)
      // The order of operations is much the same: every way of losing is tried once.
      const scenario = inlineFlushes
        ? alone
        : { ...alone, inlineFlushes, losses: ['chance', 'last'] as const }
      const whole = uncut(scenario)
      expect(whole.writes.acknowledged).to.be.greaterThan(25)
      expect(whole.happened.get('compacted')).to.be.greaterThan(2)
      expect(lastSegment(whole.victim), 'segments were begun, more than there are files').to.be.greaterThan(6)
      const tried = cutEverywhere(scenario)
      expect(tried.cuts).to.be.greaterThan(100 * scenario.losses.length)
      expect(tried.overLeftovers, 'cuts with records of an earlier life behind the tail').to.be.greaterThan(
        50,
      )
    })
  }

  it('takes a snapshot in the place of what it missed, then carries writes with one other, and loses none', function () {
    this.timeout(300_000)
    const whole = uncut(leftBehind)
    expect(whole.writes.acknowledged).to.be.greaterThan(25)
    expect(whole.happened.get('snapshot-installed')).to.be.greaterThan(0)
    expect(whole.happened.get('compacted')).to.be.greaterThan(0)
    const tried = cutEverywhere(leftBehind)
    expect(tried.cuts).to.be.greaterThan(150)
  })

  it('leads another one, which lives on with what its clients asked, and carries out nothing twice', function () {
    this.timeout(300_000)
    const whole = uncut(asked)
    expect(whole.writes.acknowledged).to.be.greaterThan(20)
    const tried = cutEverywhere(asked)
    expect(tried.cuts).to.be.greaterThan(100)
  })
})

/** One node: what it acknowledged is on its disk alone. */
const alone: Scenario = {
  nodes: 1,
  inlineFlushes: true,
  linkMs: 0.2,
  secondCutEvery: 23,
  losses,
  live: (run, cutAt) => {
    run.cutAt(cutAt)
    run.startFounder()
    run.write(run.victim, 50)
  },
  comeBack: run => {
    run.startFounder()
    run.verify(run.victim)
    run.write(run.victim, 4)
  },
}

/**
 * Three nodes, one of which misses so much that it gets a snapshot. From then on it and the leader are the
 * majority; after its power went the leader stays away, so that what the two acknowledged is on its disk alone.
 */
const leftBehind: Scenario = {
  nodes: 3,
  inlineFlushes: false,
  linkMs: 0.2,
  secondCutEvery: 41,
  losses: ['chance', 'everything', 'first', 'none yet'],
  live: (run, cutAt) => {
    run.startFounder()
    for (const node of run.nodes) node.start()
    const { leader, others } = run.roles()
    const [follower = leader, third = leader] = others
    run.victim = follower
    run.write(leader, 6)
    run.agree()
    for (const other of [leader, third]) {
      run.network.block(follower.name, other.name)
      run.network.block(other.name, follower.name)
    }
    run.write(leader, 16)
    run.cutAt(cutAt)
    run.network.heal()
    run.until('the one left behind', () => follower.replica?.appliedIndex === leader.replica?.appliedIndex)
    third.kill()
    run.write(follower, 16)
  },
  comeBack: run => {
    const [stale, ahead] = run.nodes
      .filter(node => node !== run.victim)
      .sort((one, other) => one.ledger.lastIndex - other.ledger.lastIndex)
    ahead?.kill()
    stale?.start()
    run.network.heal()
    run.victim.start()
    run.verify(run.victim)
    run.write(run.victim, 4)
    ahead?.start()
    run.agree()
  },
}

/**
 * Two nodes, and the victim leads; clients ask at the other one, without waiting for answers. It lives on, keeps
 * what is not answered, and sends it again when the victim is back. Answers under way are lost with the power, so
 * some of that was carried out before, and is in a checkpoint: nothing may be carried out twice.
 */
const asked: Scenario = {
  nodes: 2,
  inlineFlushes: false,
  linkMs: 5,
  secondCutEvery: 61,
  losses: ['chance', 'everything'],
  live: (run, cutAt) => {
    run.startFounder()
    for (const node of run.nodes) node.start()
    const { leader, others } = run.roles()
    run.victim = leader
    run.write(doorOf(run), 3)
    run.agree()
    expect(others).to.have.length(1)
    run.cutAt(cutAt)
    run.pour(doorOf(run), 30, 1)
  },
  comeBack: run => {
    run.network.breakConnections(run.victim.name, doorOf(run).name)
    run.victim.start()
    run.awaitAnswers()
    run.verify(doorOf(run))
    run.write(doorOf(run), 4)
    run.agree()
  },
}

function doorOf(run: CrashCluster): SimulatedNode {
  return run.nodes.find(node => node !== run.victim) ?? run.victim
}

/** The run that nothing happens to. */
function uncut(scenario: Scenario): CrashCluster {
  const run = new CrashCluster({ ...scenario, seed: 0, loss: 'chance' })
  scenario.live(run, Number.POSITIVE_INFINITY)
  run.verify(run.victim)
  return run
}

/** Cuts the power at one operation after the other, in each way of losing what was not flushed. */
function cutEverywhere(scenario: Scenario): { readonly cuts: number; readonly overLeftovers: number } {
  let cuts = 0
  let secondCuts = 0
  let overLeftovers = 0
  for (const [number, loss] of scenario.losses.entries()) {
    for (let at = 1; ; at++) {
      const options = { ...scenario, seed: number * 10_000 + at, loss }
      const { wasCut, hadLeftovers } = cutOnce(scenario, options, at, undefined)
      if (!wasCut) break
      cuts++
      if (hadLeftovers) overLeftovers++
      if (at % scenario.secondCutEvery !== 0) continue
      for (let second = 1; cutOnce(scenario, options, at, second).wasCut; second++) secondCuts++
    }
  }
  console.log(
    `      ${cuts} cuts, ${overLeftovers} of them over leftovers of an earlier life; ${secondCuts} second ones`,
  )
  return { cuts, overLeftovers }
}

/**
 * Lives once, with a cut at operation `at` and, unless `second` is undefined, another one at that operation of
 * the comeback. Tells whether the last of them happened: not when everything was over before.
 */
function cutOnce(
  scenario: Scenario,
  options: CrashOptions,
  at: number,
  second: number | undefined,
): { readonly wasCut: boolean; readonly hadLeftovers: boolean } {
  try {
    const run = new CrashCluster(options)
    let wasCut = run.untilCut(() => scenario.live(run, at))
    const hadLeftovers = run.hasLeftovers()
    // What a killed process did not flush is lost with the next power cut, unless it was seen to by then.
    if (options.loss === 'none yet') run.setLoss('everything')
    if (wasCut && second !== undefined) {
      run.cutAt(second)
      wasCut = run.untilCut(() => scenario.comeBack(run))
    }
    if (wasCut) scenario.comeBack(run)
    // Once more, with nothing kept that was not flushed: what is acknowledged now is durable, too.
    run.setLoss('everything')
    run.cutPower()
    scenario.comeBack(run)
    return { wasCut, hadLeftovers }
  } catch (error) {
    const then = second === undefined ? '' : `, then at ${second} of the comeback`
    const where = `power cut at operation ${at}${then}, what is lost: ${options.loss}, seed ${options.seed}`
    throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** The number of the newest segment of a node's journal. */
function lastSegment(node: SimulatedNode): number {
  return Number(
    node.disk
      .list()
      .filter(name => /^journal\.\d+$/.test(name))
      .at(-1)
      ?.slice(8),
  )
}
