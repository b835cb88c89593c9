/** Instances of a warehouse are killed at random moments, one at a time, while one client writes. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import { programPath, stopAll, TestProcess, textClient, waitFor } from '../support/processes.js'
import { startWarehouse, type WarehouseInstance } from '../support/warehouse.js'

const sets = 1000
const kills = 4
const patienceMs = 60_000

describe('A warehouse whose instances are killed one at a time during 1000 SETs of one client', () => {
  let instances: WarehouseInstance[]
  const keys = Array.from({ length: sets }, () => randomUUID())
  let answers: readonly string[] = []

  before(async () => {
    instances = await startWarehouse(3)
  })
  after(stopAll)

  it('answers each of them as if nothing had happened', async function () {
    this.timeout(kills * patienceMs)
    const seed = Date.now()
    const random = seededRandom(seed)
    console.log(`      seed ${seed}`)
    const program = [programPath('warehouse-cli'), '-P', String(instances[0]?.port), '--timeout=60s']
    const child = spawn(process.execPath, program, { stdio: ['pipe', 'pipe', 'pipe'] })
    const client = new TestProcess(child, 'warehouse-cli')
    const answered = (): string[] =>
      client.output.split('\n').filter(line => /^(Created|Updated|Error|Failed|Not)/.test(line))
    const perKill = sets / kills
    for (let kill = 0; kill < kills; kill++) {
      const first = kill * perKill
      const lines = keys.slice(first, first + perKill).map((key, at) => `SET ${key} value ${first + at}\n`)
      child.stdin.write(lines.join(''))
      const moment = first + random.below(perKill)
      await waitFor(
        () => answered().length >= moment,
        patienceMs,
        `${moment} answers; it said:\n${client.output}`,
      )
      const victim = random.pick(instances)
      await victim.kill()
      await waitFor(
        () => answered().length >= first + perKill,
        patienceMs,
        () => `the rest of the answers; it said:\n${client.output}`,
      )
      victim.launch()
      for (const each of instances) await each.waitForNodes(instances.map(({ address }) => address))
    }
    child.stdin.end()
    expect((await client.waitForExit()).code, client.output).to.equal(0)
    answers = answered()
    const counts = new Map<string, number>()
    for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1)
    // Each key is new, so a write that was carried out twice would answer `Updated`.
    expect([...counts]).to.deep.equal([['Created (2 replicas)', sets]])
  })

  it('has every document that was acknowledged, at every instance', async () => {
    expect(answers).to.have.length(sets)
    for (const instance of instances) {
      const reader = await textClient(instance.address)
      const values = await Promise.all(keys.map(key => reader.ask(`GET ${key}`)))
      expect(values).to.deep.equal(keys.map((_, at) => `value ${at}`))
      reader.close()
    }
  })
})
