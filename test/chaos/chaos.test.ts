/** A short round under the nemesis, as `npm run chaos` runs it. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { requires } from '../support/requirements.js'

const seconds = 15

describe('A cluster of processes on hosts of their own, under a nemesis', () => {
  it(`keeps every promise for ${seconds} seconds of all kinds of faults`, async function () {
    requires(this, 'netns')
    this.timeout(240_000)
    const program = fileURLToPath(new URL('./run.js', import.meta.url))
    const words = [program, '--nodes=3', `--seconds=${seconds}`, '--faults=mix']
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk
      })
    }
    const code = await new Promise(resolve => child.once('close', resolve))
    expect(code, said).to.equal(0)
    expect(said).to.match(/^verdict +linearizable$/m)
    expect(said).to.match(/^acknowledged writes lost +0 \([1-9]\d* keys read back\)$/m)
    console.log(said.trimEnd().replace(/^/gm, '      '))
  })
})
