import { createServer, type Server } from 'node:net'
import { expect } from 'chai'
import { freePort } from './ports.js'
import { startNode, startProgram, stopAll, temporaryDirectory, textClient, waitFor } from './processes.js'
import { summaryLine } from './reporter.js'
import { missingButRequired, requires } from './requirements.js'

/** What a promise is rejected with. */
async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof Error) return error
  throw new Error('it did not fail')
}

describe('waiting for something', () => {
  it('gives what the condition gave, as soon as it gives something', async () => {
    const answers = [undefined, false, undefined, 'there'] as const
    let asked = 0
    expect(await waitFor(() => answers[asked++], 10_000, 'an answer')).to.equal('there')
    expect(asked).to.equal(4)
  })

  it('fails saying what it waited for and what went wrong last', async () => {
    const never = () => {
      throw new Error('nobody there')
    }
    const failure = await failureOf(waitFor(never, 20, 'somebody'))
    expect(failure.message).to.equal('waited 20 ms for somebody; the last attempt failed: nobody there')
  })
})

describe('the client that types', () => {
  let server: Server

  afterEach(async function () {
    await stopAll.call(this)
    server.close()
  })

  /** A server that answers each chunk with what `reply` makes of it. */
  async function serve(reply: (chunk: string) => string): Promise<string> {
    const port = await freePort()
    server = createServer({ allowHalfOpen: true }, socket => {
      socket.setEncoding('utf8').on('data', (chunk: string) => socket.write(reply(chunk)))
      socket.on('end', () => socket.end('bye'))
      socket.on('error', () => {})
    })
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    return `127.0.0.1:${port}`
  }

  it('gives overlapping questions their replies in order', async () => {
    const client = await textClient(await serve(chunk => chunk.toUpperCase()))
    expect(await Promise.all([client.ask('a'), client.ask('b')])).to.deep.equal(['A', 'B'])
  })

  it('still reads after it has said that it will send nothing more, and counts a last line without end', async () => {
    const client = await textClient(await serve(chunk => chunk))
    client.send('a\nb\n')
    client.end()
    expect(await client.rest()).to.deep.equal(['a', 'b', 'bye'])
  })

  it('fails when the other side ends the connection before the reply', async () => {
    const client = await textClient(await serve(() => ''))
    const reply = client.ask('get key1')
    client.end()
    expect(await reply).to.equal('bye')
    expect((await failureOf(client.line('more'))).message).to.include('ended the connection; waited for more')
  })

  it('fails to connect where nobody listens', async () => {
    await serve(() => '')
    expect(await failureOf(textClient(`127.0.0.1:${await freePort()}`))).to.have.property(
      'code',
      'ECONNREFUSED',
    )
  })
})

describe('processes of tests', () => {
  afterEach(stopAll)

  it('answer, survive being killed with their data, and are found dead when they are', async () => {
    const node = await startNode()
    const client = await node.connect()
    expect(await client.ask('put key1 value1')).to.equal('SUCCESS: key1 -> value1 added.')
    expect(await node.kill()).to.deep.equal({ code: null, signal: 'SIGKILL' })
    expect(await node.status()).to.have.property('kind', 'silent')
    await node.start()
    expect(await (await node.connect()).ask('get key1')).to.equal('key1 -> value1')
    expect(await node.stop()).to.deep.equal({ code: 0, signal: null })
  })

  it('say nothing while they are held still, and go on afterwards', async () => {
    const node = await startNode()
    node.process.pause()
    expect(await node.status()).to.have.property('kind', 'silent')
    node.process.resume()
    await node.waitForLeader()
  })

  it('stop when the process that started them is gone', async () => {
    const node = await startNode()
    node.process.disconnect()
    expect(await node.process.waitForExit()).to.deep.equal({ code: 0, signal: null })
  })

  it('fail at once, with what they said, if they end instead of starting', async () => {
    const failure = await failureOf(startNode({ flags: ['--prot=1'] }))
    expect(failure.message).to.include("Unknown flag '--prot'")
  })

  it('do not see variables that are meant for others', async () => {
    process.env['QUORATE_PROT'] = '1'
    try {
      await startNode()
    } finally {
      delete process.env['QUORATE_PROT']
    }
  })
})

describe('the health check', () => {
  afterEach(stopAll)

  it('is well while a node answers, leader or not, and unwell when it is gone', async () => {
    const other = await freePort()
    const port = await freePort()
    const own = [`--port=${port}`]
    const cluster = `--cluster=127.0.0.1:${port},127.0.0.1:${other}`
    const node = await startNode({ port, dataDirectory: temporaryDirectory(), flags: [cluster] })
    const whileItLives = startProgram('quorate-health', own)
    expect((await whileItLives.waitForExit()).code, whileItLives.output).to.equal(0)
    await node.kill()
    const afterwards = startProgram('quorate-health', own)
    expect((await afterwards.waitForExit()).code, afterwards.output).to.equal(1)
  })
})

describe('what a test requires of the machine', () => {
  it('is missed only where the environment names it', () => {
    expect(missingButRequired(['nc', 'netns'], undefined)).to.deep.equal([])
    expect(missingButRequired(['nc', 'netns'], '')).to.deep.equal([])
    expect(missingButRequired(['nc', 'netns'], 'socat, netns')).to.deep.equal(['netns'])
    expect(() => missingButRequired([], 'nc,netnz')).to.throw("names 'netnz'")
  })

  it('holds nobody up who requires nothing', function () {
    requires(this)
  })
})

describe('the report', () => {
  it('ends with a line that a script can read', () => {
    expect(summaryLine({ passes: 12, failures: 0, pending: 3 })).to.equal('12 passed, 0 failed, 3 skipped')
  })
})
