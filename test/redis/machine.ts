/** Redis commands carried out by the layers of the database that only compute: tables of commands, log, state. */
import type { Reply } from '../../src/base/operation.js'
import { seededRandom } from '../../src/base/random.js'
import { type Command, encodeCommand } from '../../src/kv/command.js'
import { encodeProposal, encodeTime } from '../../src/kv/proposal.js'
import { type Applied, StateMachine } from '../../src/kv/state-machine.js'
import type { Walk } from '../../src/kv/walk.js'
import type { DataRequest } from '../../src/protocol/command.js'
import type { Response } from '../../src/protocol/request.js'
import type { DataCommandRow } from '../../src/protocol/resp/command-row.js'
import { dataCommands } from '../../src/protocol/resp/data-commands.js'
import { dataRequest, repliesOf } from '../../src/protocol/resp/data-request.js'
import { toResponse } from '../../src/replica/outbox.js'
import { isReadRequest, Reader } from '../../src/replica/reader.js'
import { MemoryTable } from '../../src/storage/memory-table.js'
import { list, quoted, type Shown } from './model.js'

export class PureMachine {
  readonly table = new MemoryTable()
  readonly state = new StateMachine(this.table)
  /** Everything that was applied, to be applied elsewhere. */
  readonly log: Uint8Array[] = []
  readonly #reader = new Reader(this.state, seededRandom('reader'))
  #nowMs: number

  constructor(nowMs: number) {
    this.#nowMs = nowMs
    this.#apply(encodeTime(nowMs))
  }

  /** Time passes, and is told to the log as a leader would before it answers anything. */
  pass(ms: number): void {
    this.#nowMs += ms
    this.#apply(encodeTime(this.#nowMs))
  }

  /** Carries out one command, given with its name in words whose characters stand for bytes. */
  run([name = '', ...words]: readonly string[]): Shown {
    const row: DataCommandRow | undefined = dataCommands[name.toLowerCase()]
    if (row === undefined) throw new Error(`there is no command ${name}`)
    const operation = row.parse(words.map(word => Buffer.from(word, 'latin1')))
    if ('kind' in operation) return show(operation)
    const { request } = dataRequest([operation], false)
    const replies = repliesOf(request, this.#answer(request))
    if ('kind' in replies) throw new Error(`${name} failed: ${replies.code}`)
    const [reply = { kind: 'nil' } as const] = replies
    const shown = show(row.shape?.(reply) ?? reply)
    return name.toLowerCase() === 'keys' ? sorted(reply) : shown
  }

  #answer(request: DataRequest): Response {
    if (isReadRequest(request)) {
      let walk: Walk | undefined
      for (;;) {
        const step = this.#reader.read(request, walk, this.#nowMs, undefined)
        if (step === 'due') throw new Error('nothing was asked about a later time')
        if (!('walk' in step)) return step
        walk = step.walk
      }
    }
    if (!isWrite(request)) throw new Error(`no command asks for ${request.op}`)
    const command: Command = request.op === 'redis-write' ? { ...request, op: 'redis' } : request
    const counter = this.log.length + 1
    const identity = { session: 'test', bornMs: this.#nowMs, counter, lowest: counter }
    const applied = this.#apply(encodeProposal(this.#nowMs, identity, encodeCommand(command)))
    if (applied?.outcome.kind !== 'result') throw new Error('a write has a result')
    return toResponse(applied.outcome.result, 1)
  }

  #apply(data: Uint8Array): Applied | undefined {
    this.log.push(data)
    let applied: Applied | undefined
    this.state.apply(this.log.length, data, told => {
      applied = told
    })
    return applied
  }
}

function isWrite(
  request: DataRequest,
): request is Extract<DataRequest, { op: Command['op'] | 'redis-write' }> {
  return ['put', 'update', 'set', 'delete', 'cas', 'redis-write'].includes(request.op)
}

/** A reply as text. */
export function show(reply: Reply): Shown {
  switch (reply.kind) {
    case 'nil':
      return 'nil'
    case 'integer':
      return `(integer) ${reply.value}`
    case 'status':
      return quoted(reply.text)
    case 'bytes':
      return quoted(Buffer.from(reply.value).toString('latin1'))
    case 'error':
      return reply.text
    case 'list':
      return list(reply.items.map(show))
  }
}

function sorted(reply: Reply): Shown {
  return reply.kind === 'list' ? list(reply.items.map(show).sort()) : show(reply)
}
