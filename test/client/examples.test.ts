/**
 * The examples of the documentation and of the comments in the source, done: each is run as a program of its own
 * against three real nodes, imports the package by its name, and must print what stands behind its `//`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { clientErrors } from '../../src/client/index.js'
import { startCluster, stopAll, type TestNode, textClient, waitFor } from '../support/processes.js'
import { startScript } from './script.js'

/** The source checkout: the compiled test stands in dist/test/client. */
const checkout = fileURLToPath(new URL('../../../', import.meta.url))
const pages = ['docs/client.md', 'src/client/client.ts']

interface Example {
  readonly page: string
  readonly code: string
  readonly prints: readonly string[]
}

describe('the examples of the client library', () => {
  let nodes: TestNode[]
  let directory: string

  before(async () => {
    nodes = await startCluster(3)
    // Within the package, so that it can be imported by its name.
    const parent = join(checkout, 'dist', 'examples')
    mkdirSync(parent, { recursive: true })
    directory = mkdtempSync(join(parent, 'run-'))
  })
  afterEach(async () => {
    // Each example begins with an empty store.
    const [first] = nodes
    const client = await textClient(first?.address ?? '')
    await waitFor(
      async () => {
        const count = Number.parseInt(await client.ask('keys'), 10)
        const keys = await client.lines(count)
        for (const key of keys) await client.ask(`delete ${key}`)
        return count === 0
      },
      20_000,
      'an empty store',
    )
    client.close()
  })
  after(async function () {
    rmSync(directory, { recursive: true, force: true })
    await stopAll.call(this)
  })

  const found = pages.flatMap(examplesIn)
  it('are there', () => {
    for (const page of pages) expect(found.filter(example => example.page === page)).to.have.length.above(2)
  })
  for (const [at, { page, code, prints }] of found.entries()) {
    it(`of ${page}, number ${at + 1}, print ${prints.join(' | ')}`, async () => {
      const program = nodes.reduce(
        (text, { address }, place) => text.replaceAll(`127.0.0.1:500${place}`, address),
        code,
      )
      const path = join(directory, `example-${at}.mjs`)
      writeFileSync(path, program)
      const run = startScript(path)
      expect((await run.waitForExit()).code, run.output).to.equal(0)
      expect(run.output.trimEnd().split('\n')).to.deep.equal(prints)
    })
  }
})

describe('docs/client.md', () => {
  it('has the table of the errors that arise in the client', () => {
    const rows = Object.entries(clientErrors).map(
      ([code, { text, advice }]) => `| \`${code}\` | \`${text}\` | ${advice} |`,
    )
    const page = readFileSync(`${checkout}docs/client.md`, 'utf8')
    expect(page).to.include(`| --- | --- | --- |\n${rows.join('\n')}\n\n`)
  })
})

/** The blocks of code on a page, whether they stand in a comment or not. */
function examplesIn(page: string): Example[] {
  const text = readFileSync(checkout + page, 'utf8').replace(/^[ \t]*\*( |$)/gm, '')
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code = '']) => ({
    page,
    code,
    prints: [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, printed = '']) => printed),
  }))
}
