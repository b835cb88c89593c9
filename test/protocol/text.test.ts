import { expect } from 'chai'
import fc from 'fast-check'
import type { Command } from '../../src/protocol/command.js'
import { errorText } from '../../src/protocol/errors.js'
import type { Failure } from '../../src/protocol/request.js'
import { isHttp, parseText } from '../../src/protocol/text.js'

const parse = (line: string | Buffer, engine: 'raft' | 'ring' = 'raft') =>
  parseText(typeof line === 'string' ? Buffer.from(line) : line, engine)

/** What a line asks for, with the value as text, so that cases read well. */
function asked(line: string | Buffer): unknown {
  const command = parse(line)
  if (command === undefined || command.kind === 'error' || !('request' in command)) return command
  const { request } = command
  return 'value' in request && request.value !== undefined
    ? { ...request, value: Buffer.from(request.value).toString() }
    : request
}

/** What a line is answered with, where it is refused. */
function refusal(line: string | Buffer, engine: 'raft' | 'ring' = 'raft'): string {
  const failure = parse(line, engine)
  expect(failure?.kind, `${line}`).to.equal('error')
  const { code, details } = failure as Failure
  return errorText(code, details)
}

describe('reading the text dialect', () => {
  const identity = undefined
  const understood: readonly [line: string, request: object][] = [
    ['get key1', { op: 'get', key: 'key1', local: false }],
    ['get --local key1', { op: 'get', key: 'key1', local: true }],
    ['GeT key1', { op: 'get', key: 'key1', local: false }],
    ['get KEY1', { op: 'get', key: 'KEY1', local: false }],
    ['  get \t key1  ', { op: 'get', key: 'key1', local: false }],
    ['get -- --local', { op: 'get', key: '--local', local: false }],
    ['get schlüssel', { op: 'get', key: 'schlüssel', local: false }],
    ['put key1 value1', { op: 'put', key: 'key1', value: 'value1', identity }],
    ['put key1  two  "words" ', { op: 'put', key: 'key1', value: ' two  "words" ', identity }],
    ['put key1 ', { op: 'put', key: 'key1', value: '', identity }],
    ['put key1  ', { op: 'put', key: 'key1', value: ' ', identity }],
    ['put key1 --raw', { op: 'put', key: 'key1', value: '--raw', identity }],
    ['put -- --key v', { op: 'put', key: '--key', value: 'v', identity }],
    ['PUT key1 größer 🙂', { op: 'put', key: 'key1', value: 'größer 🙂', identity }],
    ['update key1 v', { op: 'update', key: 'key1', value: 'v', identity }],
    ['set key1 v', { op: 'set', key: 'key1', value: 'v', identity }],
    ['delete key1', { op: 'delete', key: 'key1', identity }],
    ['cas key1 7 new value', { op: 'cas', key: 'key1', version: 7, value: 'new value', identity }],
    ['keys', { op: 'keys', prefix: '', after: '', limit: 1000 }],
    ['keys user:', { op: 'keys', prefix: 'user:', after: '', limit: 1000 }],
    ['keys --after user:9 user:', { op: 'keys', prefix: 'user:', after: 'user:9', limit: 1000 }],
    ['keys --after=user:9 --limit=5', { op: 'keys', prefix: '', after: 'user:9', limit: 5 }],
    ['keys --after=a=b --limit 999999', { op: 'keys', prefix: '', after: 'a=b', limit: 1000 }],
    ['status', { op: 'status' }],
    ['CLUSTER-STATUS --verbose', { op: 'status' }],
    [`get ${'k'.repeat(1024)}`, { op: 'get', key: 'k'.repeat(1024), local: false }],
  ]
  for (const [line, request] of understood) {
    it(`takes ${JSON.stringify(line.slice(0, 40))}`, () => expect(asked(line)).to.deep.equal(request))
  }

  it('keeps apart what is asked and how the answer is to be shown', () => {
    expect(parse('get --raw --version k')).to.include({ raw: true, version: true })
    expect(parse('get k')).to.include({ raw: false, version: false })
    expect(parse('status --verbose')).to.include({ verb: 'status', verbose: true })
    expect(parse('cluster-status')).to.include({ verb: 'status', verbose: false })
  })

  it('gives administrative commands the full address, and remembers what was typed', () => {
    for (const verb of ['add-node', 'remove-node', 'transfer-leader'] as const) {
      const command: Command = { kind: 'admin', verb, typed: 'Host', address: 'host:5000' }
      expect(parse(`${verb} Host`)).to.deep.equal(command)
    }
  })

  it('knows the commands of the connection itself', () => {
    expect(parse('help')).to.deep.equal({ kind: 'session', verb: 'help' })
    expect(parse('QUIT')).to.deep.equal({ kind: 'session', verb: 'quit' })
    expect(parse('watch --cluster')).to.deep.equal({ kind: 'session', verb: 'watch' })
  })

  it('sees nothing in an empty line or one of blanks', () => {
    expect(parse('')).to.equal(undefined)
    expect(parse(' \t ')).to.equal(undefined)
  })

  it('gives the value as a view of the line, without a copy', () => {
    const line = Buffer.from('put k value')
    const command = parse(line)
    expect(command?.kind).to.equal('write')
    if (command?.kind !== 'write' || command.request.op !== 'put') return
    expect(command.request.value.buffer).to.equal(line.buffer)
  })

  const format = 'Invalid command format. Usage: '
  const refused: readonly [line: string | Buffer, text: string][] = [
    ['foo', "Unknown command 'foo'. Type 'help' for the list of commands."],
    ['Foo bar', "Unknown command 'Foo'. Type 'help' for the list of commands."],
    ['heartbeat', "Unknown command 'heartbeat'. Type 'help' for the list of commands."],
    ['constructor x', "Unknown command 'constructor'. Type 'help' for the list of commands."],
    ['*3', "Unknown command '*3'. Type 'help' for the list of commands."],
    ['\u001b[2J', "Unknown command '?[2J'. Type 'help' for the list of commands."],
    ['x'.repeat(500), `Unknown command '${'x'.repeat(64)}...'. Type 'help' for the list of commands.`],
    ['put', `${format}put <key> <value>`],
    ['put key1', `${format}put <key> <value>`],
    ['PUT', `${format}put <key> <value>`],
    ['get', `${format}get [--version] [--raw] [--local] <key>`],
    ['get a b', `${format}get [--version] [--raw] [--local] <key>`],
    ['get --raw', `${format}get [--version] [--raw] [--local] <key>`],
    ['get --raw=yes a', `${format}get [--version] [--raw] [--local] <key>`],
    ['get --', `${format}get [--version] [--raw] [--local] <key>`],
    ['update a', `${format}update <key> <value>`],
    ['set a', `${format}set <key> <value>`],
    ['delete', `${format}delete <key>`],
    ['delete a b', `${format}delete <key>`],
    ['cas a 1', `${format}cas <key> <version> <value>`],
    ['cas a one v', `${format}cas <key> <version> <value>`],
    ['cas a -1 v', `${format}cas <key> <version> <value>`],
    ['cas a 99999999999999999 v', `${format}cas <key> <version> <value>`],
    ['keys a b', `${format}keys [--after <key>] [--limit <count>] [prefix]`],
    ['keys --after', `${format}keys [--after <key>] [--limit <count>] [prefix]`],
    ['keys --limit 0', `${format}keys [--after <key>] [--limit <count>] [prefix]`],
    ['keys --limit ten', `${format}keys [--after <key>] [--limit <count>] [prefix]`],
    ['status now', `${format}status [--verbose]`],
    ['add-node', `${format}add-node <host>[:<port>]`],
    ['remove-node a b', `${format}remove-node <host>[:<port>]`],
    ['transfer-leader', `${format}transfer-leader <host>[:<port>]`],
    ['watch', `${format}watch --cluster`],
    ['watch key1', `${format}watch --cluster`],
    ['help put', `${format}help`],
    ['quit now', `${format}quit`],
    ['get --vers a', "Unknown option '--vers'. Usage: get [--version] [--raw] [--local] <key>"],
    ['put --toString a b', "Unknown option '--toString'. Usage: put <key> <value>"],
    ['add-node host:99999', "Invalid address 'host:99999'. Write <host> or <host>:<port>."],
    [`get ${'k'.repeat(1025)}`, 'Key too long (limit 1024 bytes).'],
    [`get ${'ü'.repeat(513)}`, 'Key too long (limit 1024 bytes).'],
    ['get a\vb', 'Invalid key: a key is one word, without whitespace.'],
    ['get a\rb', 'Invalid key: a key is one word, without whitespace.'],
    [Buffer.from('get k\xff', 'latin1'), 'Not valid UTF-8.'],
    [Buffer.from('put k v\xff', 'latin1'), 'Not valid UTF-8.'],
    [Buffer.from('f\xff', 'latin1'), 'Not valid UTF-8.'],
    [Buffer.from('foo \xff', 'latin1'), 'Not valid UTF-8.'],
    [Buffer.from('keys \xff', 'latin1'), 'Not valid UTF-8.'],
    [Buffer.from('keys --after \xff', 'latin1'), 'Not valid UTF-8.'],
    [Buffer.from('add-node \xff', 'latin1'), 'Not valid UTF-8.'],
    ['join a:1', "'join' needs the ring engine."],
    ['leave', "'leave' needs the ring engine."],
    ['lookup k', "'lookup' needs the ring engine."],
    ['members', "'members' needs the ring engine."],
    ['count', "'count' needs the ring engine."],
  ]
  for (const [line, text] of refused) {
    it(`refuses ${JSON.stringify(line.toString('latin1').slice(0, 40))}`, () => {
      expect(refusal(line)).to.equal(text)
    })
  }

  it('refuses on the ring what only consensus can do', () => {
    expect(refusal('cas k 1 v', 'ring')).to.equal("'cas' needs the raft engine.")
    expect(refusal('transfer-leader a', 'ring')).to.equal("'transfer-leader' needs the raft engine.")
    expect(refusal('get --version k', 'ring')).to.equal("'get --version' needs the raft engine.")
  })

  it('gives back any key and any value that is a line of text', () => {
    const word = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter(key => !/[\t-\r ]/.test(key))
    const value = fc.string({ unit: 'binary', maxLength: 40 })
    fc.assert(
      fc.property(word, value, (key, content) => {
        expect(asked(`put -- ${key} ${content}`)).to.deep.equal({ op: 'put', key, value: content, identity })
      }),
    )
  })

  it('makes something of any bytes: a command, a refusal or nothing', () => {
    const verb = fc.constantFrom('', 'get ', 'put ', 'cas ', 'keys ', 'add-node ', 'get --', 'keys --after ')
    fc.assert(
      fc.property(verb, fc.uint8Array({ maxLength: 40 }), (beginning, bytes) => {
        const line = Buffer.concat([Buffer.from(beginning), bytes])
        const parsed = parse(line)
        expect(['undefined', 'object']).to.include(typeof parsed)
        if (parsed?.kind === 'error')
          expect(errorText(parsed.code, parsed.details)).to.not.match(/\{\w+\}|\p{Cc}/u)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('recognising a browser by the first line', () => {
  for (const line of [
    'POST / HTTP/1.1',
    'POST',
    'Host: 127.0.0.1:5000',
    'GET / HTTP/1.1',
    'OPTIONS * HTTP/1.0',
  ]) {
    it(`sees one in ${line}`, () => expect(isHttp(Buffer.from(line))).to.equal(true))
  }
  for (const line of ['', 'get POST', 'put a HTTP/1.1 b', 'post', 'PUT a HTTP/2', 'status']) {
    it(`sees none in ${JSON.stringify(line)}`, () => expect(isHttp(Buffer.from(line))).to.equal(false))
  }
  it('sees one in the beginning and the end of an over-long line', () => {
    expect(isHttp(Buffer.from('GET /aaa'), Buffer.from('aaa HTTP/1.1'))).to.equal(true)
    expect(isHttp(Buffer.from('POST /aaa'), Buffer.from('aaa'))).to.equal(true)
    expect(isHttp(Buffer.from('put a aaa'), Buffer.from('aaa'))).to.equal(false)
  })
})
