/** A warehouse on the ring whose network is divided, so that each side goes on with a leader of its own, and healed. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { freePortPair } from '../support/ports.js'
import { stopAll, waitFor } from '../support/processes.js'
import { ringFlags, WarehouseInstance } from '../support/warehouse.js'
import { DivisibleNetwork, hasOuterHost, outerHost } from './divisible-network.js'

const patienceMs = 60_000

describe('A warehouse of four instances whose network is divided', () => {
  const network = new DivisibleNetwork()
  const instances: WarehouseInstance[] = []
  /** Where the others reach them, in the order of joining. */
  let names: readonly string[]

  before(async function () {
    if (!(await hasOuterHost())) {
      console.log('      skipped: this machine has one loopback address only')
      this.skip()
    }
    names = []
    for (let count = 0; count < 4; count++) {
      const { port, peerPort } = await freePortPair()
      await network.admit(port, peerPort)
      const [first] = names
      const name = `${outerHost}:${port}`
      const join = first === undefined ? [] : [`--join=${first}`]
      const instance = new WarehouseInstance(port, [
        ...ringFlags,
        `--advertise=${name}`,
        '--node-timeout=600s',
        ...join,
      ])
      instance.launch()
      instances.push(instance)
      names = [...names, name]
      for (const each of instances) await each.waitForNodes(names)
    }
  })
  after(async function () {
    await stopAll.call(this)
    await network.close()
  })

  it('serves on both sides, and is of one mind when it is whole again', async () => {
    const [left, , right] = instances
    if (left === undefined || right === undefined) throw new Error('there are four')
    const sides = [names.slice(0, 2), names.slice(2)] as const
    const [changedByBoth, onLeft, onRight] = [randomUUID(), randomUUID(), randomUUID()]
    const removed = await keyOn(left, sides[0])
    for (const key of [changedByBoth, removed]) {
      expect(await left.ask(`SET ${key} before`)).to.equal('Created (2 replicas)')
    }

    network.divide(...sides)
    for (const [instance, side] of [
      [left, sides[0]],
      [right, sides[1]],
    ] as const) {
      const expected = `Leader: ${side[0]}. Known nodes: ${side.join(', ')}. `
      await waitFor(
        async () => (await instance.ask('STATUS')).startsWith(expected),
        patienceMs,
        () => `${instance.address} to say '${expected}'; it said:\n${instance.process.output}`,
      )
    }
    const done = /^(Created|Updated) \((1 replica|2 replicas)\)$/
    expect(await left.ask(`SET ${changedByBoth} by the left`)).to.match(done)
    expect(await right.ask(`SET ${changedByBoth} by the right`)).to.match(done)
    expect(await left.ask(`GET ${changedByBoth}`)).to.equal('by the left')
    expect(await right.ask(`GET ${changedByBoth}`)).to.equal('by the right')
    expect(await left.ask(`SET ${onLeft} of the left`)).to.match(done)
    expect(await right.ask(`SET ${onRight} of the right`)).to.match(done)
    expect(await left.ask(`DELETE ${removed}`)).to.match(/^Deleted/)

    network.heal()
    for (const each of instances) await each.waitForNodes(names)
    const keys = [changedByBoth, onLeft, onRight, removed]
    const answers: string[] = []
    for (const instance of instances) {
      answers.push((await Promise.all(keys.map(key => instance.ask(`GET ${key}`)))).join(', '))
    }
    expect([...new Set(answers)], 'what they say').to.have.length(1)
    expect(answers[0]).to.match(/^by the (left|right), of the left, of the right, Not found$/)
    console.log(`      of the versions of both sides the one written ${answers[0]?.split(',')[0]} stands`)
  })

  /** A key that is kept by these alone. */
  async function keyOn(instance: WarehouseInstance, kept: readonly string[]): Promise<string> {
    for (;;) {
      const key = randomUUID()
      const owners = (await instance.ask(`NODES ${key}`)).split(' ')
      if (owners.every(owner => kept.includes(owner))) return key
    }
  }
})
