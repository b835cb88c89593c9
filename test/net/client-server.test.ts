import { once } from 'node:events'
import { expect } from 'chai'
import fc from 'fast-check'
import { listenForClients } from '../../src/net/client-server.js'
import { ListenError } from '../../src/net/listen.js'
import { heldBufferBytes } from '../support/held-memory.js'
import { eventually, FakeBackend, Port, type TestClient } from './client-harness.js'

describe('the client port', () => {
  let port: Port
  let client: TestClient

  async function open(options: Parameters<typeof Port.open>[0] = {}): Promise<void> {
    port = await Port.open(options)
    client = await port.connect()
  }
  afterEach(() => port.close())

  it('answers one line for one line', async () => {
    await open()
    expect(await client.ask('put key1 value1\n')).to.equal('SUCCESS: key1 -> value1 added.\n')
    expect(await client.ask('get key1\r\n')).to.equal('key1 -> value1\n')
    expect(await client.ask('\n\r\n  \nUPDATE key1 value 2\n')).to.equal(
      'SUCCESS: key1 updated to value 2.\n',
    )
    expect(await client.ask('delete key1\n')).to.equal('SUCCESS: key1 removed.\n')
    expect(await client.ask('get key1\n')).to.equal('ERROR: Key not found.\n')
    expect(await client.ask('foo\n')).to.equal(
      "ERROR: Unknown command 'foo'. Type 'help' for the list of commands.\n",
    )
    expect(await client.ask('add-node Host\n')).to.equal('SUCCESS: Node Host added to cluster.\n')
    expect(port.backend.submitted.at(-1)).to.deep.equal({ op: 'add-node', address: 'host:5000' })
  })

  it('understands a conversation that comes one byte at a time', async () => {
    await open()
    const said = 'put a 1\r\n{"id":1,"op":"get","key":"a"}\nfoo\nget a'
    for (const byte of Buffer.from(said)) {
      await new Promise<void>(resolve => client.socket.write(Buffer.from([byte]), () => resolve()))
    }
    const received = await client.end()
    const lines = received.split('\n')
    expect(lines).to.have.members([
      'SUCCESS: a -> 1 added.',
      '{"id":1,"ok":true,"key":"a","value":"1","version":1}',
      "ERROR: Unknown command 'foo'. Type 'help' for the list of commands.",
      'a -> 1',
      '',
    ])
  })

  it('carries out pipelined requests in order and answers them in order', async () => {
    await open()
    const count = 3000
    let said = ''
    let expected = ''
    for (let number = 0; number < count; number++) {
      said += `set k ${number}\nget k\n`
      expected += `SUCCESS: k -> ${number} set.\nk -> ${number}\n`
    }
    expect(await client.end(said)).to.equal(expected)
  })

  it('has writes under way together, and lets a read wait for them', async () => {
    await open()
    port.backend.holding = true
    client.send('put a 1\nput b 2\nget a\nget b\nput c 3\n')
    const operations = () => port.backend.submitted.map(request => request.op).join(' ')
    await eventually(() => port.backend.held.length === 2)
    expect(operations()).to.equal('put put')
    port.backend.held[1]?.()
    port.backend.held[0]?.()
    port.backend.held.splice(0)
    await eventually(() => port.backend.held.length === 2)
    expect(operations()).to.equal('put put get get')
    port.backend.release()
    await client.until(() => client.received.endsWith('c -> 3 added.\n'))
    expect(client.received).to.equal(
      'SUCCESS: a -> 1 added.\nSUCCESS: b -> 2 added.\na -> 1\nb -> 2\nSUCCESS: c -> 3 added.\n',
    )
  })

  it('sends what the backend answers in one go before the loop goes on to anything else', async () => {
    await open()
    const { backend, server } = port
    backend.holding = true
    const clients = [await port.connect(), await port.connect()]
    for (const client of clients) client.send('get a\nget b\n')
    await eventually(() => backend.held.length === 4)
    backend.release()
    expect(server.stats().requests).to.equal(4)
    await new Promise<void>(resolve => process.nextTick(resolve))
    expect(server.stats().requests).to.equal(0)
    for (const client of clients) await client.until(() => client.lines === 2)
  })

  it('answers everything to a client that closed its side, the last line without newline included', async () => {
    await open()
    port.backend.holding = true
    const all = client.end('put a 1\nget a')
    await eventually(() => port.backend.held.length === 1)
    port.backend.release()
    expect(await all).to.equal('SUCCESS: a -> 1 added.\na -> 1\n')
  })

  it('ends the connection of a client that closed its side without a word', async () => {
    await open()
    expect(await client.end()).to.equal('')
    await eventually(() => port.server.stats().connections === 0)
  })

  it('lets JSON replies overtake each other and text, but not their effects', async () => {
    await open()
    port.backend.holding = true
    client.send('get a\n{"id":1,"op":"get","key":"b"}\n{"id":2,"op":"set","key":"a","value":"1"}\n')
    await eventually(() => port.backend.held.length === 2)
    port.backend.held[1]?.()
    await client.until(() => client.received.includes('\n'))
    expect(client.received).to.match(/^\{"id":1,"ok":false,"code":"KEY_NOT_FOUND".*\}\n$/)
    expect(port.backend.submitted).to.have.length(2)
    port.backend.held.splice(1)
    port.backend.release()
    await client.until(() => client.received.includes('"id":2'))
    expect(client.received).to.contain('\nERROR: Key not found.\n')
  })

  it('passes the identity of a write on, and messages between nodes untouched', async () => {
    await open()
    const uuid = '0d5d3807-5fbf-4228-a657-5a091c4e497f'
    await client.ask(`${JSON.stringify({ id: 1, op: 'put', key: 'a', value: '1', request: uuid })}\n`)
    expect(port.backend.submitted.at(-1)).to.include({ identity: uuid })
    expect(await client.ask('{"id":2,"op":"join","address":"a:1"}\n')).to.equal(
      '{"id":2,"ok":true,"heard":"join"}\n',
    )
    expect(port.backend.controlled).to.deep.equal([{ id: 2, op: 'join', address: 'a:1' }])
    expect(await client.ask('{"id":3,"op":"form","fail":true}\n')).to.contain('"code":"OUTCOME_UNKNOWN"')
  })

  it('answers an over-long line with an error, in any dialect, and lives on', async () => {
    await open({ lineBytesMax: 1000 })
    const long = 'x'.repeat(100_000)
    expect(await client.ask(`put a ${long}\n`)).to.equal('ERROR: Line too long (limit 1000 bytes).\n')
    expect(await client.ask(`{"id":1,"op":"put","key":"a","value":"${long}"}\n`)).to.equal(
      '{"id":null,"ok":false,"code":"LINE_TOO_LONG","definite":true,"message":"Line too long (limit 1000 bytes).","details":{"limit":1000}}\n',
    )
    expect(await client.ask('get a\n')).to.equal('ERROR: Key not found.\n')
  })

  it('holds almost nothing of a line of 100 MB', async () => {
    await open()
    const other = await port.connect()
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    const before = heldBufferBytes()
    let peak = 0
    client.send('put a ')
    for (let count = 0; count < 100; count++) {
      if (!client.socket.write(chunk)) await once(client.socket, 'drain')
      if (count % 10 === 0) peak = Math.max(peak, heldBufferBytes() - before)
      if (count % 25 === 0) expect(await other.ask('get b\n')).to.equal('ERROR: Key not found.\n')
    }
    expect(await client.ask('\n')).to.equal('ERROR: Line too long (limit 1048576 bytes).\n')
    expect(peak).to.be.below(4 * chunk.length)
  })

  for (const [name, opening] of Object.entries({
    'a POST': 'POST / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n\r\nput a 1\n',
    'a POST with an over-long address': `POST /${'x'.repeat(5000)} HTTP/1.1\r\n\r\nput a 1\n`,
    'a GET with an over-long address': `GET /${'x'.repeat(5000)} HTTP/1.1\r\n\r\nput a 1\n`,
    'a first word Host:': 'Host: x\r\nput a 1\n',
    'empty lines and a POST': '\r\n\r\nPOST / x\nput a 1\n',
  })) {
    it(`closes a connection that begins with ${name}, and carries nothing out`, async () => {
      await open({ lineBytesMax: 1000 })
      client.send(opening)
      await once(client.socket, 'end')
      expect(client.received).to.equal('')
      expect(port.backend.submitted).to.deep.equal([])
    })
  }

  it('takes HTTP for data once a client has spoken', async () => {
    await open()
    expect(await client.ask('get a\nput a HTTP/1.1\nset a GET / HTTP/1.1\n', 3)).to.equal(
      'ERROR: Key not found.\nSUCCESS: a -> HTTP/1.1 added.\nSUCCESS: a -> GET / HTTP/1.1 set.\n',
    )
  })

  it('refuses one connection too many, saying so, and takes another when one has gone', async () => {
    await open({ connectionsMax: 2 })
    const second = await port.connect()
    await second.ask('get a\n')
    const third = await port.connect()
    expect(await third.end('get a\n')).to.equal('ERROR: Too many connections (limit 2).\n')
    await second.end()
    await eventually(() => port.server.stats().connections === 1)
    const fourth = await port.connect()
    expect(await fourth.ask('get a\n')).to.equal('ERROR: Key not found.\n')
    expect(port.backend.submitted).to.have.length(2)
  })

  it('greets with the banner, if there is one', async () => {
    await open({ banner: 'Welcome.' })
    expect(await client.end('get a\n')).to.equal('Welcome.\nERROR: Key not found.\n')
  })

  it('answers what came before a quit, nothing behind it, and closes', async () => {
    await open()
    port.backend.holding = true
    client.send('put a 1\nfoo\nquit\nput b 2\n')
    await eventually(() => port.backend.held.length === 1)
    port.backend.release()
    await once(client.socket, 'end')
    expect(client.received).to.match(/^SUCCESS: a -> 1 added\.\nERROR: Unknown command 'foo'.*\n$/)
    expect(port.backend.data.has('b')).to.equal(false)
  })

  it('answers a quit in JSON before it closes', async () => {
    await open()
    client.send('{"id":1,"op":"quit"}\nput b 2\n')
    await once(client.socket, 'end')
    expect(client.received).to.equal('{"id":1,"ok":true}\n')
    expect(port.backend.submitted).to.deep.equal([])
  })

  it('tells a watcher what happens, in its dialect, until it goes', async () => {
    await open()
    const program = await port.connect()
    expect(await client.ask('watch --cluster\nwatch --cluster\n', 2)).to.equal(
      'SUCCESS: Watching the cluster.\n'.repeat(2),
    )
    expect(await program.ask('{"id":9,"op":"watch","cluster":true}\n')).to.equal('{"id":9,"ok":true}\n')
    client.forget()
    program.forget()
    port.backend.tell({ kind: 'out-of-sync', address: '192.168.1.3:5000' })
    port.backend.tell({ kind: 'disk', state: 'full' })
    port.backend.tell({ kind: 'member-removed', address: '192.168.1.3:5000' })
    await client.until(() => client.received.includes('removed'))
    expect(client.received).to.equal(
      'WARNING: Node 192.168.1.3 out of sync.\nINFO: Node 192.168.1.3 removed.\n',
    )
    await program.until(() => program.received.includes('removed'))
    expect(program.received).to.match(/^\{"id":9,"event":\{"kind":"out-of-sync".*\}\n\{"id":9.*\}\n$/)
    expect(await client.ask('get a\n')).to.equal('ERROR: Key not found.\n')
    expect(port.backend.listeners.size).to.equal(2)
    await client.end()
    program.socket.resetAndDestroy()
    await eventually(() => port.backend.listeners.size === 0)
  })

  it('survives a client that resets the connection, and abandons what it asked', async () => {
    await open()
    port.backend.holding = true
    client.send('put a 1\nput b 2\nget a\n')
    await eventually(() => port.backend.held.length === 2)
    client.socket.resetAndDestroy()
    await eventually(() => port.server.stats().connections === 0)
    expect(port.backend.abandoned).to.equal(2)
    port.backend.release()
    const other = await port.connect()
    expect(await other.ask('get b\n')).to.equal('b -> 2\n')
    expect(port.backend.submitted, 'the read that waited was dropped').to.have.length(3)
  })

  it('survives a client that writes, closes and reads nothing', async () => {
    await open()
    for (let count = 0; count < 20; count++) {
      const rude = await port.connect()
      rude.send('status\n'.repeat(200))
      rude.socket.destroy()
    }
    await eventually(() => port.server.stats().connections === 1)
    expect(await client.ask('get a\n')).to.equal('ERROR: Key not found.\n')
  })

  it('answers any bytes without falling over', async () => {
    await open()
    const bytes = fc.uint8Array({ minLength: 1000, maxLength: 20_000, size: 'max' })
    const pieces = fc.constantFrom('put ', 'get ', '{', '{"op":"', '\n', '--', 'keys ', ' ')
    const junk = fc.array(fc.oneof(bytes, pieces.map(Buffer.from)), { minLength: 5, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(junk, async parts => {
        const other = await port.connect()
        await other.end(Buffer.concat(parts))
        expect(await client.ask('get no-such-key\n')).to.equal('ERROR: Key not found.\n')
      }),
      { numRuns: 20 },
    )
  })

  it('answers under way when it closes, reads nothing more, and ends', async () => {
    await open()
    port.backend.holding = true
    const idle = await port.connect()
    client.send('put a 1\n')
    await eventually(() => port.backend.held.length === 1)
    const closed = port.server.close(10_000)
    client.send('put b 2\n')
    await once(idle.socket, 'end')
    expect(client.received).to.equal('')
    port.backend.release()
    await once(client.socket, 'end')
    expect(client.received).to.equal('SUCCESS: a -> 1 added.\n')
    await closed
    expect(port.backend.submitted).to.have.length(1)
    expect(port.server.stats().connections).to.equal(0)
  })

  it('waits no longer than the deadline when it closes', async () => {
    await open()
    port.backend.holding = true
    client.send('put a 1\n')
    await eventually(() => port.backend.held.length === 1)
    await port.server.close(20)
    expect(await client.end()).to.equal('')
    expect(port.backend.abandoned).to.equal(1)
  })

  it('names host and port when the port is in use', async () => {
    await open()
    const second = listenForClients(new FakeBackend(), { host: '127.0.0.1', port: port.server.port })
    const error: unknown = await second.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).to.be.instanceOf(ListenError)
    expect(error).to.include({ code: 'EADDRINUSE', host: '127.0.0.1', port: port.server.port })
  })
})
