import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { redisPage } from './redis-page.js'

/** The page in the source checkout: the compiled test stands in dist/test/docs. */
const path = fileURLToPath(new URL('../../../docs/redis.md', import.meta.url))

describe('docs/redis.md', () => {
  it('says of commands and errors what the tables say; UPDATE=1 writes those parts anew', () => {
    const page = readFileSync(path, 'utf8')
    if (process.env['UPDATE'] === '1') writeFileSync(path, redisPage(page))
    else expect(page).to.equal(redisPage(page))
  })
})
