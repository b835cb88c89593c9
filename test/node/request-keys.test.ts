import { expect } from 'chai'
import type { Operation } from '../../src/base/operation.js'
import { readConfig } from '../../src/node/config.js'
import { mapKeys } from '../../src/node/request-keys.js'
import { presetOf, warehouseProgram } from '../../src/node/warehouse.js'
import { failure, type Request } from '../../src/protocol/request.js'

const one = '0d5d3807-5fbf-4228-a657-5a091c4e497f'
const other = '7b1dbb0e-5b5d-4f0c-9a3e-2f1f6d1c9a77'
const value = Buffer.from('v')

/** Each operation of Redis, with all the keys that it can name; patterns are not among them. */
const operations: Record<Operation['op'], (a: string, b: string) => Operation> = {
  get: a => ({ op: 'get', key: a }),
  strlen: a => ({ op: 'strlen', key: a }),
  type: a => ({ op: 'type', key: a }),
  getrange: a => ({ op: 'getrange', key: a, start: 0, end: -1 }),
  exists: (a, b) => ({ op: 'exists', keys: [a, b, a] }),
  mget: (a, b) => ({ op: 'mget', keys: [a, b] }),
  ttl: a => ({ op: 'ttl', key: a, form: 'left', unit: 's' }),
  keys: () => ({ op: 'keys', pattern: 'K*' }),
  scan: () => ({ op: 'scan', cursor: '0', pattern: 'K*', count: 10, isOfType: true }),
  randomkey: () => ({ op: 'randomkey' }),
  dbsize: () => ({ op: 'dbsize' }),
  expiring: () => ({ op: 'expiring' }),
  time: () => ({ op: 'time' }),
  set: a => ({ op: 'set', key: a, value, condition: 'absent', expiry: { after: 5 }, previous: true }),
  getdel: a => ({ op: 'getdel', key: a }),
  persist: a => ({ op: 'persist', key: a }),
  getex: a => ({ op: 'getex', key: a, expiry: 'never' }),
  delete: (a, b) => ({ op: 'delete', keys: [a, b] }),
  mset: (a, b) => ({
    op: 'mset',
    pairs: [
      [a, value],
      [b, value],
    ],
    ifNone: false,
  }),
  append: a => ({ op: 'append', key: a, value }),
  setrange: a => ({ op: 'setrange', key: a, offset: 1, value }),
  increment: a => ({ op: 'increment', key: a, by: '1' }),
  'increment-float': a => ({ op: 'increment-float', key: a, by: '1.5' }),
  expire: a => ({ op: 'expire', key: a, expiry: { at: 5 }, condition: undefined }),
  rename: (a, b) => ({ op: 'rename', from: a, to: b, ifNone: true }),
  flush: () => ({ op: 'flush' }),
}

/** A request that carries the operations out. */
function asking(...all: readonly Operation[]): Request {
  return { op: 'redis-write', operations: all, watched: [] }
}

describe('the keys of a request', () => {
  it('are found in every operation of Redis, and nothing else of it changes', () => {
    for (const [name, operation] of Object.entries(operations)) {
      const request = asking(operation('a', 'b'))
      expect(
        mapKeys(request, key => key.toUpperCase()),
        name,
      ).to.deep.equal(asking(operation('A', 'B')))
    }
  })

  it('are found in the requests of the ring', () => {
    const mapped = (request: Request) => mapKeys(request, key => key.toUpperCase())
    const read = { op: 'read-versions', quorum: 2 } as const
    expect(mapped({ ...read, key: 'a' })).to.deep.equal({ ...read, key: 'A' })
    const write = { op: 'write-version', verb: 'put', value, quorum: 1, context: 'c', identity: 'i' } as const
    expect(mapped({ ...write, key: 'a' })).to.deep.equal({ ...write, key: 'A' })
    expect(mapped({ op: 'lookup', key: 'a' })).to.deep.equal({ op: 'lookup', key: 'A' })
    for (const op of ['count', 'leave'] as const) expect(mapped({ op })).to.deep.equal({ op })
  })
})

describe('a warehouse, asked in the words of Redis', () => {
  const result = readConfig({ argv: ['--engine=raft'], env: {}, isFirstStart: () => true }, warehouseProgram)
  if (result.kind !== 'run') throw new Error('it was not asked to print')
  const warehouse = presetOf(result.config)
  const refused = failure('KEY_NOT_UUID4')

  it('keeps every key in lower case, and refuses each that is no UUID4', () => {
    for (const [name, operation] of Object.entries(operations)) {
      const typed = asking(operation(one.toUpperCase(), other.toUpperCase()))
      expect(warehouse.check(typed), name).to.deep.equal(asking(operation(one, other)))
      const plain = operation(one, 'plain')
      const namesTwo = JSON.stringify(plain) !== JSON.stringify(operation(one, other))
      const namesOne = JSON.stringify(operation('plain', other)) !== JSON.stringify(operation(one, other))
      if (namesOne) expect(warehouse.check(asking(operation('plain', other))), name).to.deep.equal(refused)
      if (namesTwo) expect(warehouse.check(asking(plain)), name).to.deep.equal(refused)
    }
  })

  it('refuses a transaction of which one key is wrong', () => {
    const { get, set } = operations
    expect(warehouse.check(asking(get(one, ''), set('plain', '')))).to.deep.equal(refused)
  })

  it('says the same of reads, and of keys that are watched', () => {
    const read = (key: string): Request => ({
      op: 'redis-read',
      operations: [{ op: 'mget', keys: [one, key] }],
      local: true,
    })
    expect(warehouse.check(read(other.toUpperCase()))).to.deep.equal(read(other))
    expect(warehouse.check(read('plain'))).to.deep.equal(refused)
    const watching = (key: string): Request => ({
      op: 'redis-write',
      operations: [{ op: 'flush' }],
      watched: [{ key, version: 1 }],
    })
    expect(warehouse.check(watching(one.toUpperCase()))).to.deep.equal(watching(one))
    expect(warehouse.check(watching('plain'))).to.deep.equal(refused)
  })
})
