/**
 * Instances of a warehouse on the ring are killed at random moments, one at a time down to the last, while one client
 * writes; the killed ones come back later.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { type Random, seededRandom } from '../../src/base/random.js'
import { programPath, stopAll, TestProcess, textClient, waitFor } from '../support/processes.js'
import { ringFlags, startWarehouse, type WarehouseInstance } from '../support/warehouse.js'

const sets = 1000
const patienceMs = 60_000
const unavailable = 'Error: entry unavailable, its replicas are down'

describe('A warehouse on the ring, killed down to its last instance during 1000 SETs of one client', () => {
  let instances: WarehouseInstance[]
  let random: Random
  const keys = Array.from({ length: sets }, () => randomUUID())
  /** How many of the documents were acknowledged while the other instances were away. */
  let acknowledged = 0

  before(async () => {
    instances = await startWarehouse(3, [...ringFlags, '--node-timeout=600s'])
  })
  after(stopAll)

  it('answers each of them as if nothing had happened', async function () {
    this.timeout(4 * patienceMs)
    const seed = Date.now()
    random = seededRandom(seed)
    console.log(`      seed ${seed}`)
    const program = [programPath('warehouse-cli'), '-P', String(instances[0]?.port), '--timeout=60s']
    const child = spawn(process.execPath, program, { stdio: ['pipe', 'pipe', 'pipe'] })
    const client = new TestProcess(child, 'warehouse-cli')
    const answered = (): string[] =>
      client.output.split('\n').filter(line => /^(Created|Updated|Error|Failed|Not)/.test(line))
    const waitForAnswers = (count: number): Promise<unknown> =>
      waitFor(
        () => answered().length >= count,
        patienceMs,
        () => `${count} answers; it said:\n${client.output}`,
      )

    const last = random.pick(instances)
    const victims = instances.filter(instance => instance !== last)
    if (random.below(2) === 0) victims.reverse()
    // A third of the documents is written before the first kill can be, the last third when both are dead.
    const third = Math.floor(sets / 3)
    const moments = victims.map((_, at) => at * third + random.below(third))
    const write = (from: number, to: number): void => {
      const lines = keys.slice(from, to).map((key, at) => `SET ${key} value ${from + at}\n`)
      child.stdin.write(lines.join(''))
    }
    for (const [at, victim] of victims.entries()) {
      write(at * third, (at + 1) * third)
      await waitForAnswers(moments[at] ?? 0)
      await victim.kill()
      await waitForAnswers((at + 1) * third)
    }
    acknowledged = victims.length * third
    await expectWhileAway(last)
    for (const victim of victims) victim.launch()
    write(acknowledged, sets)
    child.stdin.end()
    expect((await client.waitForExit()).code, client.output).to.equal(0)
    const answers = answered()
    const counts = new Map<string, number>()
    for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
    console.log(`      ${[...counts].map(([text, count]) => `${count} ${text}`).join(', ')}`)
    // Each key is new, so a write that was carried out twice would answer `Updated`.
    expect(
      [...counts.keys()].filter(text => !/^Created \((1 replica|2 replicas)\)$/.test(text)),
    ).to.deep.equal([])
    expect(answers).to.have.length(sets)
  })

  it('has every document that was acknowledged, at every instance, once all are back', async () => {
    const startedAtMs = performance.now()
    for (const each of instances) await each.waitForNodes(instances.map(({ address }) => address))
    console.log(`      all in sync ${(performance.now() - startedAtMs).toFixed(0)} ms later`)
    for (const instance of instances) {
      expect(await valuesAt(instance, keys)).to.deep.equal(keys.map((_, at) => `value ${at}`))
    }
  })

  /** What was acknowledged is read, or told to be out of reach: it is never denied. */
  async function expectWhileAway(last: WarehouseInstance): Promise<void> {
    const values = await valuesAt(last, keys.slice(0, acknowledged))
    const away = values.filter(value => value === unavailable).length
    console.log(`      with ${last.address} alone ${away} of ${acknowledged} documents were away`)
    for (const [at, value] of values.entries()) expect(value).to.be.oneOf([`value ${at}`, unavailable])
  }
})

/** What an instance answers to a GET of each. */
async function valuesAt(instance: WarehouseInstance, keys: readonly string[]): Promise<string[]> {
  const reader = await textClient(instance.address)
  const values = await Promise.all(keys.map(key => reader.ask(`GET ${key}`)))
  reader.close()
  return values
}
