import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { runScript } from './script.js'

/** The scenarios in the source checkout: the compiled test stands in dist/test/raft. */
const folder = fileURLToPath(new URL('../../../test/scripts', import.meta.url))

describe('the scripts', () => {
  const names = readdirSync(folder).filter(name => name.endsWith('.txt'))

  it('are found', () => {
    expect(names).to.not.deep.equal([])
  })

  for (const name of names) {
    it(`${name.replace('.txt', '').replaceAll('-', ' ')} goes as written`, () => {
      const path = `${folder}/${name}`
      const written = readFileSync(path, 'utf8')
      expect(written, 'the first line says what the script shows').to.match(/^# \S/)
      const happened = runScript(name, written)
      if (process.env['UPDATE'] === '1') writeFileSync(path, happened)
      else expect(happened).to.equal(written)
    })
  }
})
