import { once } from 'node:events'
import { expect } from 'chai'
import fc from 'fast-check'
import { heldBufferBytes } from '../support/held-memory.js'
import { eventually, Port, type TestClient } from './client-harness.js'

/** A request as clients send it. */
function request(...words: (string | Uint8Array)[]): Buffer {
  const parts = words.map(word => {
    const bytes = Buffer.from(word)
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

const nil = '$-1\r\n'

describe('The client port, in the Redis protocol,', () => {
  let port: Port
  let client: TestClient

  async function open(options?: Parameters<typeof Port.open>[0]): Promise<void> {
    port = await Port.open(options)
    client = await port.connect()
  }
  afterEach(() => port.close())

  it('answers pipelined requests in order, however they are cut', async () => {
    await open()
    const data = Buffer.concat([
      request('SET', 'a', '1'),
      request('GET', 'a'),
      request('PING'),
      request('GET', 'b'),
      request('DEL', 'a'),
    ])
    const expected = `+OK\r\n$1\r\n1\r\n+PONG\r\n${nil}:1\r\n`
    expect(await client.ask(data, 6)).to.equal(expected)
    client.forget()
    for (const byte of data) {
      client.send(Buffer.from([byte]))
      await new Promise(resolve => setImmediate(resolve))
    }
    await client.until(() => client.lines === 6)
    expect(client.received).to.equal(expected)
  })

  it('answers each message in the dialect of its first byte, in the order in which they came', async () => {
    await open()
    const mixed = Buffer.concat([
      Buffer.from('put a 1\n'),
      request('GET', 'a'),
      Buffer.from('get a\n{"id":1,"op":"help"}\n'),
      request('PING'),
      Buffer.from('\r\n get a\n'),
      request('*', '{', '\n'),
    ])
    const received = await client.ask(mixed, 7)
    const inOrder = received.replace(/^\{.*\n/m, '')
    expect(received).to.match(/^\{"id":1,"ok":true/m)
    expect(inOrder).to.equal(
      "SUCCESS: a -> 1 added.\n$1\r\n1\r\na -> 1\n+PONG\r\na -> 1\n-ERR unknown command '*', with args beginning " +
        "with: '{' ' ' \r\n",
    )
  })

  it('keeps values byte for byte', async () => {
    await open()
    const value = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await client.ask(request('SET', 'a', value))
    expect(await client.ask(request('GET', 'a'), 3)).to.equal(`$256\r\n${value.toString('latin1')}\r\n`)
  })

  it('takes a value as long as the longest line, and says of a longer one what the limit is', async () => {
    await open({ lineBytesMax: 1000 })
    expect(await client.ask(request('SET', 'a', 'x'.repeat(1000)))).to.equal('+OK\r\n')
    expect(await client.ask(request('SET', 'a', 'x'.repeat(1001)))).to.equal(
      '-ERR Line too long (limit 1000 bytes).\r\n',
    )
    expect(await client.ask(request('PING'))).to.equal('+PONG\r\n')
  })

  it('holds almost nothing of a value of 100 MB, and goes on behind it', async () => {
    await open()
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const before = heldBufferBytes()
    let peak = 0
    client.send(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${100 * chunk.length}\r\n`)
    for (let count = 0; count < 100; count++) {
      if (!client.socket.write(chunk)) await once(client.socket, 'drain')
      if (count % 10 === 0) peak = Math.max(peak, heldBufferBytes() - before)
    }
    expect(await client.ask('\r\n')).to.equal('-ERR Line too long (limit 1048576 bytes).\r\n')
    expect(peak).to.be.below(4 * chunk.length)
    expect(port.backend.submitted).to.deep.equal([])
  })

  it('answers what came before the protocol was broken, says what is wrong, and closes', async () => {
    await open()
    client.send(Buffer.concat([request('SET', 'a', '1'), Buffer.from('*1\r\nPING\r\n'), request('GET', 'a')]))
    await once(client.socket, 'end')
    expect(client.received).to.equal("+OK\r\n-ERR Protocol error: expected '$', got 'P'\r\n")
    expect(port.backend.submitted).to.have.length(1)
  })

  it('closes after QUIT, and carries out nothing behind it', async () => {
    await open()
    client.send(Buffer.concat([request('PING'), request('QUIT'), request('SET', 'a', '1')]))
    await once(client.socket, 'end')
    expect(client.received).to.equal('+PONG\r\n+OK\r\n')
    expect(port.backend.submitted).to.deep.equal([])
  })

  it('answers everything to a client that closes its side, and nothing to half a request', async () => {
    await open()
    const data = Buffer.concat([request('SET', 'a', '1'), request('GET', 'a'), Buffer.from('*1\r\n$4\r\nPI')])
    expect(await client.end(data)).to.equal('+OK\r\n$1\r\n1\r\n')
  })

  it('writes in the version that HELLO chose, from that reply on', async () => {
    await open()
    const data = Buffer.concat([request('GET', 'a'), request('HELLO', '3'), request('GET', 'a')])
    client.send(data)
    await client.until(() => client.received.endsWith('_\r\n'))
    expect(client.received).to.match(/^\$-1\r\n%8\r\n\$6\r\nserver\r\n/)
  })

  it('keeps silent when told to', async () => {
    await open()
    const words = [
      ['CLIENT', 'REPLY', 'OFF'],
      ['SET', 'a', '1'],
      ['PING'],
      ['CLIENT', 'REPLY', 'ON'],
      ['GET', 'a'],
    ]
    expect(await client.ask(Buffer.concat(words.map(each => request(...each))), 3)).to.equal(
      '+OK\r\n$1\r\n1\r\n',
    )
  })

  it('waits for the versions of watched keys before it goes on', async () => {
    await open()
    port.backend.holding = true
    const words = [['WATCH', 'a', 'b'], ['GET', 'a'], ['PING']]
    client.send(Buffer.concat(words.map(each => request(...each))))
    await eventually(() => port.backend.held.length === 1)
    port.backend.held.shift()?.()
    await eventually(() => port.backend.held.length === 1)
    expect(client.received).to.equal('')
    port.backend.release()
    await client.until(() => client.lines === 3)
    expect(client.received).to.equal(`+OK\r\n${nil}+PONG\r\n`)
    expect(port.backend.submitted.map(one => ('key' in one ? one.key : one.op))).to.deep.equal([
      'a',
      'b',
      'a',
    ])
  })

  it('abandons what a client that went away was asking, whichever question it had come to', async () => {
    await open()
    port.backend.holding = true
    client.send(request('WATCH', 'a', 'b'))
    await eventually(() => port.backend.held.length === 1)
    port.backend.held.shift()?.()
    await eventually(() => port.backend.held.length === 1)
    client.socket.resetAndDestroy()
    await eventually(() => port.server.stats().connections === 0)
    expect(port.backend.abandoned).to.equal(1)
  })

  it('lists its clients and counts what they said', async () => {
    await open()
    const other = await port.connect()
    await other.ask(request('CLIENT', 'SETNAME', 'other'))
    await other.ask('get a\n')
    client.send(request('CLIENT', 'LIST'))
    await client.until(() => client.received.includes('cmd=client|list'))
    expect(client.received).to.match(/^\$\d+\r\nid=1 .*\nid=2 .* name=other .*\n\r\n$/)
    client.forget()
    client.send(request('INFO', 'stats'))
    await client.until(() => client.received.includes('total_commands_processed'))
    expect(client.received).to.include('total_connections_received:2\r\ntotal_commands_processed:4\r\n')
  })

  it('stops reading a client that does not read, and answers everything once it does', async () => {
    await open({ lineBytesMax: 100_000 })
    const message = 'x'.repeat(100_000)
    const count = 200
    client.socket.pause()
    for (let sent = 0; sent < count; sent++) client.send(request('ECHO', message))
    await eventually(() => port.server.stats().pausedConnections === 1)
    expect(port.server.stats().unsentBytes).to.be.below(4 * 1024 * 1024)
    client.socket.resume()
    await client.until(() => client.lines === 2 * count)
    expect(client.received.length).to.equal(count * (message.length + '$100000\r\n\r\n'.length))
  })

  it('answers any bytes without falling over', async () => {
    await open()
    const bytes = fc.uint8Array({ maxLength: 200 })
    const pieces = fc.constantFrom(
      '*1\r\n',
      '*3\r\n',
      '$3\r\nSET\r\n',
      '$1\r\na\r\n',
      '$4\r\nEXEC\r\n',
      '\r\n',
      '*',
    )
    const junk = fc.array(fc.oneof(bytes, pieces.map(Buffer.from)), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(junk, async parts => {
        const other = await port.connect()
        await other.end(Buffer.concat([Buffer.from('*'), ...parts]))
        expect(await client.ask(request('PING'))).to.equal('+PONG\r\n')
      }),
      { numRuns: 50 },
    )
  })

  it('refuses one connection too many in its own words', async () => {
    await open({ connectionsMax: 1 })
    const second = await port.connect()
    expect(await second.end(request('PING'))).to.equal('-ERR Too many connections (limit 1).\r\n')
    const silent = await port.connect()
    await silent.until(() => silent.lines === 1)
    expect(silent.received).to.equal('ERROR: Too many connections (limit 1).\n')
  })

  it('does not take a browser for a client because of what it sends behind', async () => {
    await open()
    client.send(Buffer.concat([Buffer.from('POST / HTTP/1.1\r\nHost: x\r\n\r\n'), request('SET', 'a', '1')]))
    await once(client.socket, 'end')
    expect(client.received).to.equal('')
    expect(port.backend.submitted).to.deep.equal([])
  })
})
