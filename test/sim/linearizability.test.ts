import { expect } from 'chai'
import { type Random, seededRandom } from '../../src/base/random.js'
import { type Action, HistoryRecorder, type Operation, type Outcome, parseHistory } from './history.js'
import { judge, type Verdict } from './linearizability.js'
import { carryOut, missing, type Register } from './register.js'
import { findVersionConflict } from './versions.js'

const get = { op: 'get', key: 'k' } as const
const put = (value: string): Action => ({ op: 'put', key: 'k', value })
const set = (value: string): Action => ({ op: 'set', key: 'k', value })
const update = (value: string): Action => ({ op: 'update', key: 'k', value })
const remove: Action = { op: 'delete', key: 'k' }
const cas = (version: number, value: string): Action => ({ op: 'cas', key: 'k', version, value })

const written = (version?: number): Outcome => ({ kind: 'written', version })
const value = (text: string, version?: number): Outcome => ({ kind: 'value', value: text, version })
const unknown: Outcome = { kind: 'unknown' }
const notFound: Outcome = { kind: 'not-found' }
const exists: Outcome = { kind: 'exists' }

/** A history in which each of these operations is over before the next one begins. */
function sequence(...steps: readonly (readonly [Action, Outcome])[]): readonly Operation[] {
  const recorder = new HistoryRecorder()
  for (const [action, outcome] of steps) recorder.returned(recorder.called('a', action), outcome)
  return recorder.operations()
}

/** A history in which all of these overlap; `then` follows, one after the other. */
function together(
  overlapping: readonly (readonly [Action, Outcome])[],
  then: readonly (readonly [Action, Outcome])[] = [],
  connection?: string,
): readonly Operation[] {
  const recorder = new HistoryRecorder()
  const calls = overlapping.map(([action], number) => recorder.called(`c${number}`, action, connection))
  for (const [position, id] of calls.entries()) recorder.returned(id, overlapping[position]?.[1] ?? unknown)
  for (const [action, outcome] of then) recorder.returned(recorder.called('a', action), outcome)
  return recorder.operations()
}

function expectAccepted(operations: readonly Operation[]): void {
  expect(inWords(judge(operations))).to.equal('linearizable')
}

function expectRefused(operations: readonly Operation[]): void {
  const verdict = judge(operations)
  expect(verdict.kind).to.equal('violation')
}

function inWords(verdict: Verdict): string {
  return verdict.kind === 'violation' ? verdict.explanation.join('\n') : verdict.kind
}

describe('the judge of histories', () => {
  describe('accepts', () => {
    it('a history without operations', () => {
      expectAccepted([])
    })

    it('each operation with each of its answers, one after the other', () => {
      expectAccepted(
        sequence(
          [get, notFound],
          [update('1'), notFound],
          [remove, notFound],
          [cas(5, '1'), notFound],
          [put('1'), written(3)],
          [put('2'), exists],
          [get, value('1', 3)],
          [cas(2, '2'), { kind: 'mismatch', current: 3 }],
          [cas(3, '3'), written(7)],
          [update('4'), written(8)],
          [remove, written(0)],
          [get, notFound],
          [cas(0, '5'), written(10)],
          [set('6'), written(11)],
          [get, value('6', 11)],
        ),
      )
    })

    it('answers without versions, as netcat shows them', () => {
      expectAccepted(
        sequence([put('1'), written()], [get, value('1')], [set('2'), written()], [get, value('2', 9)]),
      )
    })

    it('overlapping operations that some order explains', () => {
      expectAccepted(
        together(
          [
            [get, value('2', 2)],
            [get, value('1', 1)],
            [set('2'), written(2)],
            [put('1'), written(1)],
          ],
          [[get, value('2', 2)]],
        ),
      )
    })

    it('a write of unknown outcome that happened, at once or much later', () => {
      expectAccepted(sequence([put('1'), written(1)], [set('2'), unknown], [get, value('2', 2)]))
      expectAccepted(
        sequence([put('1'), written(1)], [set('2'), unknown], [get, value('1', 1)], [get, value('2', 5)]),
      )
    })

    it('a write of unknown outcome that never happened', () => {
      expectAccepted(
        sequence([put('1'), written(1)], [set('2'), unknown], [get, value('1', 1)], [put('3'), exists]),
      )
    })

    it('a failed write that an unknown one explains', () => {
      expectAccepted(sequence([put('1'), unknown], [put('2'), exists], [get, value('1', 4)]))
      expectAccepted(sequence([put('1'), written(1)], [remove, unknown], [put('2'), written(5)]))
    })

    it('refused operations, which leave no trace', () => {
      expectAccepted(sequence([put('1'), { kind: 'refused' }], [get, notFound], [get, { kind: 'refused' }]))
    })

    it('a version that was told before anybody saw whose it is', () => {
      expectAccepted(
        sequence(
          [set('1'), written()],
          [update('2'), unknown],
          [cas(0, '3'), { kind: 'mismatch', current: 36 }],
          [get, value('2')],
          [get, value('2', 36)],
        ),
      )
    })

    it('an unknown compare-and-set, whichever it was', () => {
      expectAccepted(sequence([put('1'), unknown], [cas(4, '2'), unknown], [get, value('2', 5)]))
      expectAccepted(sequence([put('1'), unknown], [cas(4, '2'), unknown], [get, value('1', 3)]))
    })

    it('a write asked twice in the same words, the first time without an answer', () => {
      expectAccepted(
        sequence(
          [put('1'), written(1)],
          [set('2'), unknown],
          [set('3'), written(3)],
          [set('2'), written(4)],
          [get, value('2', 4)],
          [set('5'), written(5)],
          [get, value('2', 6)],
        ),
      )
    })

    it('reads of one connection that change places while they are under way together', () => {
      const recorder = new HistoryRecorder()
      const first = recorder.called('a', get, 'a1')
      const second = recorder.called('a', get, 'a1')
      recorder.returned(recorder.called('b', put('1')), written(1))
      recorder.returned(second, notFound)
      recorder.returned(first, value('1', 1))
      expectAccepted(recorder.operations())
    })

    it('a write that was given up and happened after a later read of its connection', () => {
      const pipeline: readonly (readonly [Action, Outcome])[] = [
        [put('1'), unknown],
        [get, notFound],
      ]
      expectAccepted(together(pipeline, [[get, value('1', 1)]], 'c'))
    })

    it('keys that have nothing to do with each other', () => {
      const recorder = new HistoryRecorder()
      recorder.returned(recorder.called('a', { op: 'put', key: 'x', value: '1' }), written(1))
      recorder.returned(recorder.called('a', { op: 'get', key: 'y' }), notFound)
      expectAccepted(recorder.operations())
    })
  })

  describe('refuses', () => {
    it('a stale read', () => {
      expectRefused(sequence([put('1'), written(1)], [set('2'), written(2)], [get, value('1', 1)]))
    })

    it('a read of what was never written', () => {
      expectRefused(sequence([put('1'), written(1)], [get, value('7')]))
    })

    it('a lost write', () => {
      expectRefused(sequence([put('1'), written(1)], [get, notFound]))
    })

    it('a lost update: two compare-and-sets that both won', () => {
      expectRefused(
        together(
          [[put('1'), written(1)]],
          [
            [cas(1, '2'), written(2)],
            [cas(1, '3'), written(3)],
          ],
        ),
      )
      expectRefused(
        together([
          [put('1'), written(1)],
          [cas(1, '2'), written(2)],
          [cas(1, '3'), written(3)],
        ]),
      )
    })

    it('a compare-and-set refused for a version that it named rightly', () => {
      expectRefused(sequence([put('1'), written(1)], [cas(1, '2'), { kind: 'mismatch', current: 1 }]))
      expectRefused(sequence([put('1'), written(1)], [cas(1, '2'), { kind: 'mismatch', current: 9 }]))
    })

    it('a write applied twice: it comes back after it was overwritten', () => {
      expectRefused(
        sequence([set('1'), written(1)], [set('2'), written(2)], [get, value('2', 2)], [get, value('1', 3)]),
      )
      expectRefused(
        sequence([set('1'), unknown], [get, value('1', 1)], [set('2'), written(2)], [get, value('1', 3)]),
      )
    })

    it('a deleted key that comes back', () => {
      expectRefused(sequence([put('1'), written(1)], [remove, written(0)], [get, value('1', 1)]))
      expectRefused(sequence([put('1'), written(1)], [remove, written(0)], [put('2'), exists]))
    })

    it('two readers who see two overlapping writes in different orders', () => {
      expectRefused(
        together(
          [
            [set('1'), written()],
            [set('2'), written()],
          ],
          [
            [get, value('1')],
            [get, value('2')],
          ],
        ),
      )
    })

    it('a write of unknown outcome that was seen and then had not happened', () => {
      expectRefused(
        sequence([put('1'), written(1)], [set('2'), unknown], [get, value('2', 2)], [get, value('1', 1)]),
      )
    })

    it('a failed write that nothing explains', () => {
      expectRefused(sequence([put('1'), exists]))
      expectRefused(sequence([put('1'), written(1)], [update('2'), notFound]))
    })

    it('a version that falls, or changes without a write', () => {
      expectRefused(sequence([put('1'), written(5)], [set('2'), written(4)]))
      expectRefused(sequence([put('1'), written(5)], [get, value('1', 6)]))
      expectRefused(sequence([put('1'), unknown], [get, value('1', 6)], [get, value('1', 7)]))
    })

    it('requests of one connection that took effect in another order than asked', () => {
      const pipeline: readonly (readonly [Action, Outcome])[] = [
        [set('1'), written()],
        [set('2'), written()],
      ]
      expectAccepted(together(pipeline, [[get, value('1')]]))
      expectRefused(together(pipeline, [[get, value('1')]], 'c'))
      expectAccepted(together(pipeline, [[get, value('2')]], 'c'))
    })

    it('a read and a write of one connection that changed places', () => {
      const readFirst: readonly (readonly [Action, Outcome])[] = [
        [get, value('1', 1)],
        [put('1'), written(1)],
      ]
      expectAccepted(together(readFirst))
      expectRefused(together(readFirst, [], 'c'))
    })

    it('a request of unknown outcome that took effect after a later one of its connection', () => {
      const pipeline: readonly (readonly [Action, Outcome])[] = [
        [set('1'), unknown],
        [set('2'), written()],
      ]
      const seen: readonly (readonly [Action, Outcome])[] = [
        [get, value('2')],
        [get, value('1')],
      ]
      expectAccepted(together(pipeline, seen))
      expectRefused(together(pipeline, seen, 'c'))
      expectAccepted(together(pipeline, seen.slice(0, 1), 'c'))
    })
  })

  it('explains a violation by the operations around it', () => {
    const verdict = judge(sequence([put('1'), written(1)], [set('2'), written(2)], [get, value('1', 1)]))
    expect(verdict).to.deep.include({ kind: 'violation', key: 'k' })
    expect(inWords(verdict)).to.contain('set k 2 -> written (version 2)')
    expect(inWords(verdict)).to.contain("get k -> '1' (version 1)")
  })

  it('says that it could not decide when the bound on its work is reached', () => {
    const verdict = judge(sequence([put('1'), written(1)], [get, value('1', 1)], [get, value('1', 1)]), 2)
    expect(verdict).to.deep.equal({ kind: 'undecided', key: 'k', steps: 3 })
  })

  it('accepts what an atomic register answered, and refuses it with one read made stale', function () {
    this.timeout(20_000)
    let mutated = 0
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed)
      const history = playRegister(random, { clients: random.between(2, 6), operations: 80, unknown: 0.1 })
      expectAccepted(history)
      expect(findVersionConflict(history)).to.equal(undefined)
      const stale = makeOneReadStale(history)
      if (stale === undefined) continue
      mutated++
      expectRefused(stale)
    }
    expect(mutated).to.be.greaterThan(50)
  })

  it('judges 10,000 operations of 10 clients on one key in few steps', function () {
    this.timeout(20_000)
    const history = playRegister(seededRandom('long'), { clients: 10, operations: 10_000, unknown: 0 })
    const verdict = judge(history)
    expect(verdict.kind).to.equal('linearizable')
    expect(verdict.kind === 'linearizable' && verdict.steps).to.be.lessThan(2_000_000)
  })

  it('is not lost among many unknown outcomes', function () {
    this.timeout(20_000)
    const history = playRegister(seededRandom('unknown'), { clients: 10, operations: 2000, unknown: 0.1 })
    expect(judge(history).kind).to.equal('linearizable')
  })
})

describe('versions across keys', () => {
  const on = (key: string, action: 'put' | 'set', text: string): Action => ({ op: action, key, value: text })

  it('may not be given twice, fall with time, or fall along a connection', () => {
    expect(
      findVersionConflict(sequence([on('x', 'put', '1'), written(1)], [on('y', 'put', '2'), written(2)])),
    ).to.equal(undefined)
    const shared = together([
      [on('x', 'put', '1'), written(1)],
      [on('y', 'put', '2'), written(1)],
    ])
    expect(findVersionConflict(shared)).to.be.an('array')
    const falling = sequence([on('x', 'put', '1'), written(2)], [on('y', 'put', '2'), written(1)])
    expect(findVersionConflict(falling)).to.be.an('array')
    const pipelined: readonly (readonly [Action, Outcome])[] = [
      [on('x', 'put', '1'), written(2)],
      [on('y', 'put', '2'), written(1)],
    ]
    expect(findVersionConflict(together(pipelined))).to.equal(undefined)
    expect(findVersionConflict(together(pipelined, [], 'c'))).to.be.an('array')
  })
})

describe('a recorded history', () => {
  it('is the same after it was written to lines and read back, a torn last line left out', () => {
    let text = ''
    const recorder = new HistoryRecorder({ write: line => (text += line) })
    recorder.returned(recorder.called('a', put('1'), 'a1'), written(1))
    recorder.called('b', get)
    recorder.returned(recorder.called('a', set('2')), unknown)
    expect(parseHistory(`${text}{"kind":"ret`)).to.deep.equal(recorder.operations())
  })

  it('with a second answer to one question is refused', () => {
    const recorder = new HistoryRecorder()
    const id = recorder.called('a', get)
    recorder.returned(id, notFound)
    expect(() => recorder.returned(id, notFound)).to.throw('second answer')
  })
})

interface Play {
  readonly clients: number
  readonly operations: number
  readonly unknown: number
}

/** What clients of one register hear if each operation takes effect at some moment while its client waits. */
function playRegister(random: Random, play: Play): readonly Operation[] {
  const recorder = new HistoryRecorder()
  const waiting: {
    id: number
    action: Action
    outcome: Outcome | undefined
    client: number
    lost: boolean
  }[] = []
  const idle = Array.from({ length: play.clients }, (_, client) => client)
  let register: Register = missing
  let version = 0
  let started = 0
  while (started < play.operations || waiting.length > 0) {
    const next = started < play.operations && idle.length > 0 && random.chance(0.5)
    if (next) {
      const client = idle.splice(random.below(idle.length), 1)[0] ?? 0
      const action = randomAction(random, `v${started++}`, register)
      const id = recorder.called(`c${client}`, action)
      waiting.push({ id, action, outcome: undefined, client, lost: random.chance(play.unknown) })
      continue
    }
    if (waiting.length === 0) continue
    const operation = random.pick(waiting)
    if (operation.outcome === undefined) {
      // What is lost may have happened, or not.
      if (!operation.lost || random.chance(0.5)) {
        version++
        const [after, outcome] = answer(register, operation.action, version)
        register = after
        operation.outcome = outcome
      } else operation.outcome = unknown
    } else {
      waiting.splice(waiting.indexOf(operation), 1)
      recorder.returned(operation.id, operation.lost ? unknown : operation.outcome)
      idle.push(operation.client)
    }
  }
  return recorder.operations()
}

function randomAction(random: Random, text: string, register: Register): Action {
  switch (random.below(7)) {
    case 0:
      return put(text)
    case 1:
      return update(text)
    case 2:
      return set(text)
    case 3:
      return remove
    case 4:
      return cas(random.chance(0.7) ? register.version : random.below(9), text)
    default:
      return get
  }
}

/** Carries out an action the way the database says it does. */
function answer(register: Register, action: Action, version: number): [Register, Outcome] {
  const current = register.exists ? register.version : 0
  const all: readonly Outcome[] = [
    written(action.op === 'delete' ? 0 : version),
    value(register.value, current),
    notFound,
    exists,
    { kind: 'mismatch', current },
  ]
  for (const outcome of all) {
    const after = carryOut(register, action, outcome)
    if (after !== undefined) return [after, outcome]
  }
  throw new Error(`nothing answers ${action.op}`)
}

/**
 * The history with one read's answer replaced by that of an earlier write, chosen so that it cannot be right: a
 * still later one was answered before the read was asked.
 */
function makeOneReadStale(history: readonly Operation[]): readonly Operation[] | undefined {
  const writes = history.filter(({ action, outcome }) => action.op === 'set' && outcome.kind === 'written')
  for (const read of history) {
    if (read.action.op !== 'get' || read.outcome.kind !== 'value') continue
    const before = writes.filter(write => write.returnedAt < read.calledAt)
    const newest = before.at(-1)
    const older = before.find(write => newest !== undefined && write.returnedAt < newest.calledAt)
    if (older === undefined || older.outcome.kind !== 'written' || older.action.op !== 'set') continue
    const outcome = value(older.action.value, older.outcome.version)
    return history.map(operation => (operation === read ? { ...read, outcome } : operation))
  }
  return undefined
}
