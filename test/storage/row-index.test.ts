import { expect } from 'chai'
import fc from 'fast-check'
import { keyAtHand, takeKey } from '../../src/storage/key-bytes.js'
import { placesIn, RowIndex } from '../../src/storage/row-index.js'
import { deleted, RowMap } from '../../src/storage/row-map.js'
import { compareRowKeys, sortByKey } from '../../src/storage/row-order.js'
import { RowSlabs } from '../../src/storage/row-slabs.js'

const record = (version: number) => ({ value: Buffer.from(String(version)), version, expiresAt: undefined })
const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))

/** Keys that differ where keys like to differ, and that begin or end alike. */
const key = fc.oneof(
  fc.constantFrom(
    '',
    '\u0000',
    '\u0000\u0000',
    'ä',
    '\uffff',
    '\u{1f600}',
    'k'.repeat(1024),
    `${'k'.repeat(1023)}l`,
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc
    .tuple(fc.constantFrom('user:', 'user:0000', 'a long beginning of keys of one kind: '), fc.nat(500))
    .map(parts => parts.join('')),
  fc.nat(40).map(length => '\u0000'.repeat(length)),
)

describe('where the latest row of each key is', () => {
  it('is known as a map of the language knows it, whatever was written, removed and asked', () => {
    const changes = fc.array(fc.tuple(key, fc.boolean()), { maxLength: 3000, size: 'max' })
    const check = (all: readonly (readonly [string, boolean])[]): void => {
      const rows = new RowMap()
      const expected = new Map<string, number | undefined>()
      for (const [version, [key, isRemoved]] of all.entries()) {
        const known = expected.has(key)
        expect(rows.has(key)).to.equal(known ? expected.get(key) !== undefined : undefined)
        expect(rows.set(key, isRemoved ? deleted : record(version))).to.equal(!known)
        expected.set(key, isRemoved ? undefined : version)
      }
      expect(rows.size).to.equal(expected.size)
      for (const [key, version] of expected) {
        const head = rows.head(key)
        expect(head === deleted ? undefined : head?.version).to.equal(version)
      }
      expect(rows.get('a key that nobody wrote')).to.equal(undefined)
    }
    fc.assert(fc.property(changes, check), { numRuns: 30 })
    check(Array.from({ length: 50_000 }, (_, index) => [`key${(index * 7919) % 30_000}`, index % 11 === 0]))
  })

  it('is told apart for keys that have the same hash', () => {
    const slabs = new RowSlabs()
    const index = new RowIndex(slabs)
    const keys = Array.from({ length: 600 }, (_, number) => `key${number}`)
    const take = (key: string): void => {
      takeKey(key)
      keyAtHand.hash = -7
    }
    for (const [version, key] of [...keys, ...keys.slice(0, 50)].entries()) {
      take(key)
      index.put(slabs.add(record(version), true))
    }
    expect(index.size).to.equal(keys.length)
    for (const [version, key] of keys.entries()) {
      take(key)
      expect(slabs.head(index.find()).version).to.equal(version < 50 ? version + 600 : version)
    }
    take('another')
    expect(index.find()).to.equal(0)
    expect(new Set(placesIn(index.memory)).size).to.equal(keys.length)
  })

  it('is found after few steps also where keys are alike', () => {
    for (const name of [
      (number: number) => `key${String(number).padStart(9, '0')}`,
      (number: number) => '\u0000'.repeat(number & 1023) + (number >> 10),
    ]) {
      const places = new Map<number, number>()
      for (let number = 0; number < 2 ** 16; number++) {
        takeKey(name(number))
        const place = keyAtHand.hash & (2 ** 17 - 1)
        places.set(place, (places.get(place) ?? 0) + 1)
      }
      expect(Math.max(...places.values()), 'keys with one place of twice as many').to.be.below(16)
    }
  })

  it('is not mixed up by a key that is looked up between two writes', () => {
    takeKey('one')
    const { hash } = keyAtHand
    takeKey('other')
    takeKey('k'.repeat(10_000))
    expect(keyAtHand.length).to.equal(10_000)
    takeKey('one')
    expect([keyAtHand.hash, keyAtHand.length]).to.deep.equal([hash, 3])
  })
})

describe('rows put in order', () => {
  const ordered = (keys: readonly string[]): string[] => {
    const slabs = new RowSlabs()
    const places = Int32Array.from(keys, key => {
      takeKey(key)
      return slabs.add(undefined, true)
    })
    sortByKey(places, slabs)
    for (let at = 1; at < places.length; at++) {
      const [one, other] = [places[at - 1] ?? 0, places[at] ?? 0]
      if (compareRowKeys(slabs, one, other, 0) === 0) expect(one, 'the order of writing').to.be.below(other)
    }
    return [...places].map(place => slabs.key(place))
  }

  it('stand in the order of the bytes of their keys, those of one key in the order of writing', () => {
    const check = (keys: readonly string[]): void => {
      expect(ordered(keys)).to.deep.equal([...keys].sort(byBytes))
    }
    fc.assert(fc.property(fc.array(key, { maxLength: 400, size: 'max' }), check), { numRuns: 60 })
    check(Array.from({ length: 20_000 }, (_, index) => `user:${(index * 7919) % 20_000}:name`))
    check(Array.from({ length: 300 }, (_, index) => '\u0000'.repeat((index * 7) % 300)))
    check(Array.from({ length: 100 }, () => 'the same'))
    check(Array.from({ length: 1000 }, (_, index) => 'k'.repeat((index * 7) % 1000) + (index % 3)))
  })
})
