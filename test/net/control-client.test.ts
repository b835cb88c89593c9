import { createServer, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { askControl, type ControlAnswer } from '../../src/net/control-client.js'
import { freePort } from '../support/ports.js'
import { eventually } from './peer-harness.js'

describe('a question to another node', () => {
  let server: Server | undefined
  let sockets: Socket[]
  let received: string
  let address: string
  beforeEach(() => {
    sockets = []
    received = ''
  })
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    const running = server
    server = undefined
    await new Promise<void>(resolve => (running === undefined ? resolve() : running.close(() => resolve())))
  })

  /** Somebody who does this with the line that it is asked. */
  async function answering(act: (socket: Socket, line: string) => void, greeting = ''): Promise<void> {
    const port = await freePort()
    address = `127.0.0.1:${port}`
    server = createServer(socket => {
      sockets.push(socket)
      if (greeting !== '') socket.write(greeting)
      socket.on('error', () => {})
      socket.on('data', chunk => {
        received += chunk.toString()
        if (received.endsWith('\n')) act(socket, received.trimEnd())
      })
    })
    await new Promise<void>(resolve => server?.listen(port, '127.0.0.1', resolve))
  }
  const ask = (timeoutMs = 5000): Promise<ControlAnswer> =>
    askControl(address, { op: 'hello', asker: 'me' }, timeoutMs)

  it('is one line of JSON, and so is its answer', async () => {
    await answering((socket, line) => {
      expect(JSON.parse(line)).to.deep.equal({ id: 1, op: 'hello', asker: 'me' })
      socket.write('{"id":1,"ok":true,')
      setImmediate(() => socket.write('"node":"n"}\n'))
    })
    expect(await ask()).to.deep.equal({ kind: 'answer', fields: { id: 1, ok: true, node: 'n' } })
    await eventually(() => sockets.every(socket => socket.destroyed))
  })

  it('is answered after a greeting, too', async () => {
    await answering(socket => socket.write('{"id":1,"ok":true}\n'), 'Welcome to our database\n')
    expect(await ask()).to.deep.equal({ kind: 'answer', fields: { id: 1, ok: true } })
  })

  it('may be refused, with code and message', async () => {
    await answering(socket => {
      socket.write('{"id":1,"ok":false,"code":"NODE_REFUSED","definite":true,"message":"No."}\n')
    })
    expect(await ask()).to.deep.equal({
      kind: 'refused',
      code: 'NODE_REFUSED',
      message: 'No.',
      reason: 'No.',
    })
  })

  it('may be refused with a reason that is part of the message', async () => {
    await answering(socket => {
      socket.write('{"id":1,"ok":false,"code":"NODE_REFUSED","message":"Node n: no.","reason":"no."}\n')
    })
    expect(await ask()).to.include({ message: 'Node n: no.', reason: 'no.' })
  })

  it('shows a node that speaks another version', async () => {
    await answering(socket => socket.write('{"id":1,"ok":true,"protocol":7}\n'))
    expect(await ask()).to.deep.equal({
      kind: 'version',
      ours: 1,
      theirs: 7,
      reason: 'it speaks version 7 of the peer protocol, this node speaks 1.',
    })
  })

  it('finds nobody where nobody listens', async () => {
    address = `127.0.0.1:${await freePort()}`
    const reason = `${address} could not be reached: nothing listens there.`
    expect(await ask()).to.deep.equal({ kind: 'unreachable', reason })
  })

  it('finds nobody where there is no such host', async () => {
    address = 'no-such-host.invalid'
    expect(await ask()).to.include({ kind: 'unreachable' })
    address = 'no address'
    expect(await ask()).to.deep.equal({ kind: 'unreachable', reason: "'no address' is no address." })
  })

  it('waits for an answer as long as it was told to', async () => {
    await answering(() => {})
    const reason = `${address} did not answer within 50 ms.`
    expect(await ask(50)).to.deep.equal({ kind: 'unreachable', reason })
    await eventually(() => sockets.every(socket => socket.destroyed))
  })

  it('finds nobody when the connection is closed without an answer', async () => {
    await answering(socket => socket.end())
    const reason = `${address} closed the connection without an answer.`
    expect(await ask()).to.deep.equal({ kind: 'unreachable', reason })
  })

  it('passes on what a node says that takes no connections', async () => {
    await answering(() => {}, 'ERROR: Too many connections (limit 10).\n')
    const reason = `${address} answered: Too many connections (limit 10).`
    expect(await ask()).to.deep.equal({ kind: 'unreachable', reason })
  })

  const strangers: readonly (readonly [what: string, said: string])[] = [
    ['Redis', "-ERR unknown command '{id:1'\r\n"],
    ['a web server', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['something that only answers with JSON', '[1,2]\n'],
    ['something that refuses without a reason', '{"ok":false}\n'],
  ]
  for (const [what, said] of strangers) {
    it(`is not answered by ${what}`, async () => {
      await answering(socket => socket.end(said))
      const answer = await ask()
      expect(answer.kind).to.equal('not-quorate')
      const quoted = JSON.stringify(said.trimEnd().split('\r\n')[0])
      const reason = `what answers at ${address} is not a Quorate node; it said ${quoted}.`
      expect(answer).to.have.property('reason', reason)
    })
  }

  it('does not read an answer without end', async () => {
    await answering(socket => socket.write('x'.repeat(1024 * 1024 + 2)))
    expect((await ask()).kind).to.equal('not-quorate')
  })
})
