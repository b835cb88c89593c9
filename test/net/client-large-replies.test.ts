/** Many large replies that are there at the same time. */
import { expect } from 'chai'
import { windowMax } from '../../src/net/client-limits.js'
import { eventually, Port } from './client-harness.js'

describe('a burst of large replies on the client port', () => {
  let port: Port
  beforeEach(async () => {
    port = await Port.open()
  })
  afterEach(() => port.close())

  it('reaches the client whole, also where the system takes each part of it at once', async () => {
    port.backend.data.set('big', { value: Buffer.alloc(100_000, 'x'), version: 1 })
    const client = await port.connect()
    // A client whose replies leave comes to the largest window.
    await client.ask('get a\n'.repeat(1000), 1000)
    port.backend.holding = true
    client.forget()
    client.send('get big\n'.repeat(windowMax))
    await eventually(() => port.backend.held.length === windowMax)
    port.backend.release()
    await client.until(() => client.lines === windowMax)
  })

  it('keeps what a slow client was sent as it is, while others are answered', async () => {
    // So many bytes that no system holds them all, in replies that leave in writes of a moderate size.
    const asked = 60_000
    const bytes = 200
    const slow = await Promise.all(['p', 'q'].map(async name => ({ name, client: await port.connect() })))
    for (const { name, client } of slow) {
      port.backend.data.set(name, { value: Buffer.alloc(bytes, name), version: 1 })
      client.socket.pause()
      client.send(`get ${name}\n`.repeat(asked))
    }
    await eventually(() => port.server.stats().pausedConnections === slow.length)
    port.backend.data.set('z', { value: Buffer.alloc(60_000, 'z'), version: 1 })
    const quick = await port.connect()
    for (let round = 0; round < 10; round++) {
      expect(await quick.ask('get z\n')).to.equal(`z -> ${'z'.repeat(60_000)}\n`)
    }
    for (const { name, client } of slow) {
      client.socket.resume()
      await client.until(() => client.lines === asked)
      const expected = `${name} -> ${name.repeat(bytes)}\n`.repeat(asked)
      expect(client.received === expected, `what ${name} was sent, unchanged`).to.equal(true)
    }
  })
})
