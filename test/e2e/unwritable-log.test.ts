/** A node serves also where its log cannot be written: the log may be on the very disk that is full. */
import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { startNode, stopAll } from '../support/processes.js'

describe('A node whose log cannot be written', () => {
  afterEach(stopAll)

  it('starts, serves and stops in good order while there is no space for it', async function () {
    if (!existsSync('/dev/full')) this.skip()
    const node = await startNode({ through: ['sh', '-c', 'exec "$@" 2>/dev/full', 'sh'] })
    const client = await node.connect()
    expect(await client.ask('put key1 value1')).to.equal('SUCCESS: key1 -> value1 added.')
    client.close()
    expect(await node.stop()).to.deep.equal({ code: 0, signal: null })
  })
})
