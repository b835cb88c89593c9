import { expect } from 'chai'
import {
  folderCycles,
  forbiddenImports,
  impurities,
  leftNotes,
  mayImport,
  missingComments,
  pureFolders,
} from './support/architecture-rules.js'
import { lint } from './support/linter.js'
import { requires } from './support/requirements.js'
import { parseSources, readTexts, type Source } from './support/sources.js'

/** Fails with all offences, one a line. */
function expectNone(offences: readonly string[]): void {
  expect(offences.join('\n')).to.equal('')
}

describe('the code', () => {
  let sources: readonly Source[]

  before(() => {
    sources = parseSources(readTexts(['src', 'bin']))
    // A run in another folder, or a parser that saw nothing, must not pass for code without faults.
    expect(sources.length, 'sources found').to.be.at.least(20)
    expect(sources.flatMap(source => source.imports).length, 'imports found').to.be.at.least(20)
  })

  it('is as the linter wants it', function () {
    requires(this, 'biome')
    expect(lint()).to.equal('')
  })

  it('imports only what the table of folders allows', () => {
    expectNone(forbiddenImports(sources))
  })

  it('has no folders that import each other in a circle', () => {
    expectNone(folderCycles(sources))
  })

  it('keeps time, chance, waiting and the outside world out of the folders that only compute', () => {
    expectNone(impurities(sources))
  })

  it('says of every exported item what it promises', () => {
    expectNone(missingComments(sources))
  })

  it('holds no notes of things left undone', () => {
    expectNone(leftNotes(sources))
  })
})

describe('the table of who imports whom', () => {
  it('names folders that it has rows for, and has a row for every pure folder', () => {
    const folders = Object.keys(mayImport)
    for (const allowed of Object.values(mayImport).flat()) {
      expect(
        folders.some(folder => allowed === folder || allowed.startsWith(`${folder}/`)),
        allowed,
      ).to.equal(true)
    }
    expect(folders).to.include.members([...pureFolders])
  })

  it('lets pure folders import pure folders only', () => {
    for (const folder of pureFolders) expect(pureFolders).to.include.members([...(mayImport[folder] ?? [])])
  })

  it('keeps the two engines apart', () => {
    expect(mayImport['src/raft']).to.not.include('src/ring')
    expect(mayImport['src/ring']).to.not.include('src/raft')
  })
})

/** The offences that a rule finds in one planted file. */
function found(rule: (sources: readonly Source[]) => string[], path: string, ...lines: string[]): string[] {
  return rule(parseSources({ [path]: lines.join('\n') }))
}

describe('the rules, on planted faults', () => {
  it('see a forbidden import, however it is written', () => {
    for (const line of [
      "import { open } from '../storage/disk.js'",
      "import type { Disk } from '../storage/disk.js'",
      "import '../storage/disk.js'",
      "export * from '../storage/disk.js'",
      "export { type Disk } from '../storage/disk.js'",
      "const disk = import('../storage/disk.js')",
      "type Disk = import('../storage/disk.js').Disk",
    ]) {
      expect(found(forbiddenImports, 'src/raft/log.ts', line), line).to.deep.equal([
        'src/raft/log.ts:1 imports src/storage/disk.ts; src/raft may import src/base',
      ])
    }
  })

  it('let pass what the table allows, and the folder itself', () => {
    const lines = [
      "import { a } from '../base/ids.js'",
      "import { b } from './log.js'",
      "import { c } from 'pino'",
    ]
    expect(found(forbiddenImports, 'src/raft/core.ts', ...lines)).to.deep.equal([])
  })

  it('let the storage import the port of the table, and nothing beside it', () => {
    const lines = ["import { a } from '../kv/table.js'", "import { b } from '../kv/rows.js'"]
    expect(found(forbiddenImports, 'src/storage/memory-table.ts', ...lines)).to.deep.equal([
      'src/storage/memory-table.ts:2 imports src/kv/rows.ts; src/storage may import src/base, src/kv/table.ts',
    ])
  })

  it('see a folder that nobody put in the table', () => {
    expect(found(forbiddenImports, 'src/helpers/strings.ts', '')).to.have.length(1)
  })

  it('do not take comments and strings for code', () => {
    const lines = [
      "// import { open } from '../storage/disk.js'",
      'const text = `await Date.now()`',
      '/* setTimeout */',
    ]
    expect(found(forbiddenImports, 'src/raft/log.ts', ...lines)).to.deep.equal([])
    expect(found(impurities, 'src/raft/log.ts', ...lines)).to.deep.equal([])
  })

  it('see a circle of folders, once', () => {
    const sources = parseSources({
      'src/net/a.ts': "import '../kv/a.js'",
      'src/kv/a.ts': "import '../raft/a.js'",
      'src/raft/a.ts': "import '../net/a.js'",
      'src/base/a.ts': '',
    })
    expect(folderCycles(sources)).to.deep.equal(['src/kv -> src/raft -> src/net -> src/kv'])
  })

  for (const [line, offence] of [
    ['const now = Date.now()', 'uses Date.now'],
    ['const now = new Date()', 'uses Date'],
    ['const chance = Math.random()', 'uses Math.random'],
    ["const chance = Math['random']()", 'uses Math'],
    ['const { random } = Math', 'uses Math'],
    ['setTimeout(() => {}, 1)', 'uses setTimeout'],
    ['const timer = { setTimeout }', 'uses setTimeout'],
    [`const text = \`\${process.pid}\``, 'uses process.pid'],
    ['globalThis.fetch()', 'uses globalThis.fetch'],
    ['let later: Promise<void>', 'uses Promise'],
    ['const later = async () => {}', 'says async'],
    ["import { readFileSync } from 'node:fs'", 'imports node:fs'],
    ["import type { Socket } from 'node:net'", 'imports node:net'],
    ["import { randomUUID } from 'node:crypto'", 'imports node:crypto'],
    ["import crypto from 'node:crypto'", 'imports node:crypto'],
    ["import { v4 } from 'uuid'", 'imports uuid'],
    ["const fs = import('node:fs')", 'imports node:fs'],
    ['const some = import(name)', 'imports (computed)'],
  ] as const) {
    it(`see in a pure folder: ${line}`, () => {
      expect(found(impurities, 'src/raft/log.ts', '', line)).to.deep.equal([`src/raft/log.ts:2 ${offence}`])
      expect(found(impurities, 'src/node/driver.ts', '', line)).to.deep.equal([])
    })
  }

  it('see every wait in a pure folder', () => {
    const lines = ['async function all() {', '  await one', '  for await (const each of many) each()', '}']
    expect(found(impurities, 'src/kv/rows.ts', ...lines)).to.deep.equal([
      'src/kv/rows.ts:1 says async',
      'src/kv/rows.ts:2 says await',
      'src/kv/rows.ts:3 says await',
    ])
  })

  it('let pure folders hash, compute, and name things as they like', () => {
    const lines = [
      "import { createHash } from 'node:crypto'",
      "import { crc32 } from 'node:zlib'",
      'const floor = Math.floor(1.5)',
      'const record = { process: 1, Date: 2 }',
      'const value = record.process + record.Date',
      'interface Clock { fetch(): number }',
    ]
    expect(found(impurities, 'src/base/hash.ts', ...lines)).to.deep.equal([])
  })

  it('see an exported item without a comment of its own', () => {
    const lines = [
      '/** What this file is about. */',
      '',
      'export const a = 1',
      '/** Documented. */',
      'export const b = {',
      '  c: 1,',
      '}',
      '/** Said of the one below. */',
      'export function d() {}',
      'export function e() {}',
      '// Not a doc comment.',
      'export interface F {}',
      'export type G = 1',
      'export { b as h }',
      'const i = 1',
    ]
    expect(found(missingComments, 'src/kv/a.ts', ...lines)).to.deep.equal([
      'src/kv/a.ts:3 export const a = 1',
      'src/kv/a.ts:10 export function e() {}',
      'src/kv/a.ts:12 export interface F {}',
      'src/kv/a.ts:13 export type G = 1',
    ])
  })

  it('let one-line constants share the comment above their group', () => {
    const lines = [
      '/** Makes names. */',
      'export const a = 1',
      'export const b = 2',
      '',
      'export const c = 3',
    ]
    expect(found(missingComments, 'src/kv/a.ts', ...lines)).to.deep.equal([
      'src/kv/a.ts:5 export const c = 3',
    ])
  })

  it('let the note at the top of a file speak for what the file is named after', () => {
    const lines = [
      'export class PeerQueue {}',
      'export class PeerQueues {}',
      'export function peerQueue() {}',
    ]
    expect(found(missingComments, 'src/net/peer-queue.ts', '/** A queue. */', '', ...lines)).to.deep.equal([
      'src/net/peer-queue.ts:4 export class PeerQueues {}',
      'src/net/peer-queue.ts:5 export function peerQueue() {}',
    ])
    expect(found(missingComments, 'src/net/peer-queue.ts', ...lines)).to.have.length(3)
  })

  it('see a note of something left undone', () => {
    // Taken apart, so that this file would pass its own rule.
    const note = ['TO', 'DO'].join('')
    expect(found(leftNotes, 'src/kv/a.ts', `// ${note}: later`)).to.deep.equal([
      `src/kv/a.ts:1 // ${note}: later`,
    ])
  })

  it('fail on what is not TypeScript instead of seeing nothing in it', () => {
    expect(() => parseSources({ 'src/kv/a.ts': 'const = 1' })).to.throw('src/kv/a.ts cannot be parsed')
  })
})
