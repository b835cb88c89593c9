/** Many large replies that are there at the same time. */
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
})
