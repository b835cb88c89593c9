import { expect } from 'chai'
import fc from 'fast-check'
import { commandRow, findCommand, findCommandAt, verbs } from '../../src/protocol/commands.js'

describe('finding a command by its name', () => {
  const names = verbs.flatMap(verb => [verb, ...(commandRow(verb).aliases ?? [])])

  it('finds every command by each of its names, in either case, wherever it stands in the bytes', () => {
    for (const name of names) {
      for (const spelled of [name, name.toUpperCase(), `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`]) {
        const line = Buffer.from(` \t${spelled} key`)
        const found = findCommandAt(line, 2, 2 + spelled.length)
        expect(found?.verb, spelled).to.equal(findCommand(spelled))
        expect(found?.row, spelled).to.equal(commandRow(findCommand(name) ?? 'help'))
      }
    }
  })

  it('finds in bytes what it finds in a string, and nothing else', () => {
    const mangled = fc.constantFrom(...names).chain(name =>
      fc.tuple(fc.constant(name), fc.nat(name.length - 1), fc.integer({ min: 0, max: 127 })).map(
        // One character of the name is another one, the byte that differs in one bit from a hyphen among them.
        ([whole, at, code]) => whole.slice(0, at) + String.fromCharCode(code) + whole.slice(at + 1),
      ),
    )
    const any = fc.string({ maxLength: 20 })
    fc.assert(
      fc.property(fc.oneof(mangled, any), name => {
        const bytes = Buffer.from(name)
        // Among names of ASCII, one is as long in characters as in bytes.
        expect(findCommandAt(bytes, 0, bytes.length)?.verb).to.equal(findCommand(name))
      }),
      { numRuns: 5000 },
    )
  })
})
