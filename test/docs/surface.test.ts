import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { surfacePage } from './surface-page.js'

/** The page in the source checkout: the compiled test stands in dist/test/docs. */
const path = fileURLToPath(new URL('../../../docs/surface.md', import.meta.url))

describe('docs/surface.md', () => {
  it('says what the tables of commands, errors and flags say; UPDATE=1 writes it anew', () => {
    const page = surfacePage()
    if (process.env['UPDATE'] === '1') writeFileSync(path, page)
    else expect(readFileSync(path, 'utf8')).to.equal(page)
  })
})
