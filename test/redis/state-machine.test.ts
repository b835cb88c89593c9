import { expect } from 'chai'
import fc from 'fast-check'
import { StateMachine } from '../../src/kv/state-machine.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { PureMachine } from './machine.js'
import { BeyondTheModel, RedisModel, type Shown } from './model.js'
import { anyCommand } from './sequences.js'

const startMs = 1_750_000_000_000
/** A command, or milliseconds that pass. */
const step = fc.oneof(
  { weight: 8, arbitrary: anyCommand },
  { weight: 1, arbitrary: fc.constantFrom(1, 99_999, 100_000, 1_000_000, 10_000_000) },
)
const steps = fc.array(step, { minLength: 1, maxLength: 100, size: 'max' })
/** A number of 67 bits, which loses three of them before anything is added to it. */
const longNumber = [
  ['SET', 'c', '9223372036854775807'],
  ['APPEND', 'c', '0'],
  ['INCRBYFLOAT', 'c', '-50'],
]

/** Undefined where the model has no answer. */
function expectedOf(model: RedisModel, command: readonly string[]): Shown | undefined {
  try {
    return model.run(command)
  } catch (error) {
    if (error instanceof BeyondTheModel) return undefined
    throw error
  }
}

describe('the Redis commands', () => {
  it('answer as a simple model of them does, whatever comes in which order, and as time passes', () => {
    fc.assert(
      fc.property(steps, given => {
        const machine = new PureMachine(startMs)
        const model = new RedisModel(startMs)
        for (const one of given) {
          if (typeof one === 'number') {
            machine.pass(one)
            model.pass(one)
            continue
          }
          const shown = machine.run(one)
          const expected = expectedOf(model, one)
          if (expected === undefined) return
          expect(shown, one.join(' ')).to.equal(expected)
        }
      }),
      { numRuns: 1000, examples: [[longNumber]] },
    )
  })

  it('lead to the same data, expiry and clock on every replica that applies the same log', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (given, cut) => {
        const machine = new PureMachine(startMs)
        for (const one of given) {
          if (typeof one === 'number') machine.pass(one)
          else machine.run(one)
        }
        const table = new MemoryTable()
        let state = new StateMachine(table)
        for (const [position, data] of machine.log.entries()) {
          if (position === cut % machine.log.length) {
            // As after a restart: from what is in a checkpoint.
            const saved: unknown = JSON.parse(JSON.stringify(state.save()))
            state = new StateMachine(table)
            state.load(saved)
          }
          state.apply(position + 1, data, () => {})
        }
        const rows = (one: MemoryTable): unknown =>
          one.keys('', '', 100).map(key => {
            const record = one.get(key)
            return [
              key,
              record && Buffer.from(record.value).toString('latin1'),
              record?.version,
              record?.expiresAt,
            ]
          })
        expect(rows(table)).to.deep.equal(rows(machine.table))
        expect(JSON.stringify(state.save())).to.equal(JSON.stringify(machine.state.save()))
      }),
      { numRuns: 300 },
    )
  })
})
