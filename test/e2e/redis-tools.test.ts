/** The tools that come with Redis, against three real nodes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { expect } from 'chai'
import { freePortRow } from '../support/ports.js'
import { startCluster, stopAll, type TestNode, temporaryDirectory, waitFor } from '../support/processes.js'
import { requires } from '../support/requirements.js'
import { patienceMs, rolesOf } from './cluster-state.js'

/** What a program wrote, and how it ended. */
interface Ended {
  readonly code: number | null
  readonly output: Buffer
  readonly text: string
}

/** What is typed at both; of the data, there are tests of their own. */
const sameWords: readonly string[] = [
  'PING',
  'PING hello',
  'PING a b',
  'ECHO hello',
  'ECHO',
  'foo',
  'foo bar baz',
  `foo ${'x'.repeat(200)} y`,
  `${'f'.repeat(200)} y`,
  'GET',
  'GET a b',
  'SET a',
  'MULTI x',
  'EXEC',
  'DISCARD',
  'MULTI',
  'MULTI',
  'WATCH a',
  'SET a 1',
  'INCR a',
  'GET a',
  'PING',
  'ECHO hello',
  'EXEC',
  'MULTI',
  'GET',
  'SET a 7',
  'EXEC',
  'GET a',
  'MULTI',
  'foo',
  'DISCARD',
  'MULTI',
  'EXEC',
  'WATCH a b',
  'UNWATCH',
  'WATCH',
  'MULTI',
  'INCRBY a x',
  'SET a 1 XX NX',
  'GET a',
  'EXEC',
  'MULTI',
  'CLIENT foo',
  'EXEC',
  'SELECT 0',
  'SELECT x',
  'SELECT 99',
  'CLIENT',
  'CLIENT foo',
  'CLIENT SETNAME',
  'CLIENT SETNAME me',
  'CLIENT GETNAME',
  'CLIENT REPLY maybe',
  'CLIENT LIST TYPE foo',
  'CLIENT LIST ID x',
  'CLIENT LIST foo',
  'CLIENT NO-EVICT on',
  'CLIENT NO-EVICT maybe',
  'HELLO 4',
  'HELLO x',
  'HELLO 3 foo',
  'AUTH secret',
  'CONFIG GET',
  'CONFIG GET maxmemory-policy',
  'CONFIG GET nothing',
  'COMMAND GETKEYS GET a b',
  'COMMAND GETKEYS foo a',
  'COMMAND GETKEYS MSET a 1 b 2',
  'COMMAND GETKEYS PING x',
  'COMMAND INFO nothing',
  'COMMAND foo',
  'CLUSTER',
  'RESET',
  'CLIENT GETNAME',
]

/** Runs a tool with this on its standard input, and waits for its end. */
function run(tool: string, words: readonly string[], input: string | Buffer = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, words, { stdio: ['pipe', 'pipe', 'pipe'] })
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.once('error', reject)
    child.once('close', code => {
      const output = Buffer.concat(said)
      resolve({ code, output, text: output.toString() })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

describe('The tools of Redis', () => {
  let nodes: TestNode[]
  let leader: TestNode
  let follower: TestNode
  before(async () => {
    nodes = await startCluster(3)
    const roles = await rolesOf(nodes)
    leader = roles.leader
    const [first] = roles.followers
    if (first === undefined) throw new Error('a leader of three has followers')
    follower = first
  })
  after(stopAll)

  const cli = (node: TestNode, words: readonly string[], input?: string | Buffer) =>
    run('redis-cli', ['-h', node.host, '-p', String(node.port), ...words], input)

  describe('redis-cli', () => {
    before(function () {
      requires(this, 'redis-cli')
    })

    it('reads and writes at any node, in both versions of the protocol', async () => {
      for (const options of [[], ['-3'], ['-c']]) {
        for (const node of nodes) {
          expect((await cli(node, [...options, 'SET', 'a', `value ${options}`])).text).to.equal('OK\n')
          expect((await cli(node, [...options, 'GET', 'a'])).text).to.equal(`value ${options}\n`)
        }
      }
    })

    it('runs commands that are typed, among them a transaction', async () => {
      const typed = 'SET counter 41\nMULTI\nINCR counter\nGET counter\nEXEC\nPING\n'
      expect((await cli(follower, [], typed)).text).to.equal('OK\nOK\nQUEUED\nQUEUED\n42\n42\nPONG\n')
    })

    it('keeps bytes as they are', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      expect((await cli(follower, ['-x', 'SET', 'bytes'], bytes)).text).to.equal('OK\n')
      const { output } = await cli(leader, ['--raw', 'GET', 'bytes'])
      expect(output.equals(Buffer.concat([bytes, Buffer.from('\n')]))).to.equal(true)
    })

    it('inserts many keys with --pipe, and lists them with --scan', async () => {
      const count = 1000
      const commands = Array.from({ length: count }, (_, at) => {
        const key = `piped:${at}`
        return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\n1\r\n`
      })
      expect((await cli(follower, ['--pipe'], commands.join(''))).text).to.match(
        /errors: 0, replies: 1000\n$/,
      )
      const { text } = await cli(leader, ['--scan', '--pattern', 'piped:*'])
      expect(new Set(text.trim().split('\n')).size).to.equal(count)
    })

    it('shows the cluster, and follows it', async () => {
      const { leader } = await rolesOf(nodes)
      expect((await cli(follower, ['CLUSTER', 'INFO'])).text).to.match(/^cluster_state:ok\r?\n/)
      const { text } = await cli(follower, ['CLUSTER', 'NODES'])
      expect(text.split('\n').find(line => line.includes('master'))).to.include(` ${leader.address}@`)
      expect((await cli(follower, ['--cluster', 'info', follower.address])).text).to.include('1 masters')
    })

    it('shows what the node says of its commands', async () => {
      expect((await cli(follower, ['COMMAND', 'DOCS', 'GET'])).text).to.include('summary')
      expect((await cli(follower, ['-3', 'COMMAND', 'INFO', 'GET'])).text).to.include('readonly')
      expect((await cli(leader, ['INFO', 'raft'])).text).to.include('raft_nodes:3')
      const { text } = await cli(follower, ['DEBUG', 'SLEEP', '1'])
      expect(text).to.equal("ERR unknown command 'DEBUG', with args beginning with: 'SLEEP' '1' \n\n")
    })
  })

  describe('redis-server, asked the same,', () => {
    let server: ChildProcess | undefined
    let port: number

    before(async function () {
      requires(this, 'redis-cli', 'redis-server')
      port = await freePortRow(1)
      const words = ['--port', String(port), '--save', '', '--dir', temporaryDirectory()]
      server = spawn('redis-server', words, { stdio: 'ignore' })
      const answers = async () => (await run('redis-cli', ['-p', String(port), 'PING'])).text === 'PONG\n'
      await waitFor(answers, patienceMs, 'redis-server to answer')
    })
    after(() => server?.kill('SIGKILL'))

    it('gives the same replies and errors', async () => {
      const typed = `${sameWords.join('\n')}\n`
      for (const options of [[], ['-3']]) {
        const theirs = await run('redis-cli', ['-p', String(port), ...options], typed)
        const ours = await cli(follower, options, typed)
        const lines = (text: string) => text.split('\n').filter(line => line !== '')
        expect(lines(ours.text)).to.deep.equal(lines(theirs.text))
        expect(lines(ours.text).length).to.be.at.least(sameWords.length)
      }
    })
  })

  describe('redis-benchmark', () => {
    before(function () {
      requires(this, 'redis-benchmark')
    })

    for (const [what, words] of Object.entries({
      'one at a time': ['-c', '50', '-n', '500'],
      pipelined: ['-c', '20', '-P', '16', '-n', '1000'],
      'with values of 10 KB, in the newer protocol': ['-c', '10', '-n', '100', '-d', '10240', '-3'],
    })) {
      it(`runs ${what}`, async () => {
        const tests = 'ping_mbulk,set,get,incr,mset'
        const options = ['-t', tests, '-r', '1000', '--csv', '-h', follower.host, '-p', String(follower.port)]
        const { code, text } = await run('redis-benchmark', [...options, ...words])
        expect(code, text).to.equal(0)
        expect(text).not.to.match(/error|warning/i)
        const rates = [...text.matchAll(/^"(PING_MBULK|SET|GET|INCR|MSET[^"]*)","([\d.]+)"/gm)]
        expect(rates).to.have.length(5)
        console.log(
          `        ${rates.map(([, name, rate]) => `${name} ${Math.round(Number(rate))}/s`).join(', ')}`,
        )
      })
    }
  })
})
