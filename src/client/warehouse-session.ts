/**
 * What the interactive client of Warehouse 13 answers to a line: the words of the dialect, carried out by a
 * {@link Client}. It knows nothing of terminals.
 */
import { validate, version } from 'uuid'
import { isOneLine } from '../protocol/one-line.js'
import { failure } from '../protocol/request.js'
import { statusWarning } from '../protocol/text-reply.js'
import {
  type KeyRule,
  readWarehouseLine,
  type WarehouseLine,
  type WarehouseWord,
  warehouseErrorText,
  warehouseHelp,
  warehouseStatus,
  warehouseWords,
  writtenText,
} from '../protocol/warehouse.js'
import type { Client } from './client.js'
import { isNodeCode, QuorateError } from './errors.js'

/** The answer to a line. */
export interface Answer {
  /** For people; one line or several, without the last newline. */
  readonly text: string
  /** For programs. */
  readonly json: Readonly<Record<string, unknown>>
  /** False where something went wrong; that there is no such entry is an answer like any other. */
  readonly isWell: boolean
}

/** A key is a UUID of version 4 and the usual variant, in either case; the instances keep it in lower case. */
export const uuid4Rule: KeyRule = key =>
  validate(key) && version(key) === 4 ? key.toLowerCase() : failure('KEY_NOT_UUID4')

/** How many keys are remembered for completion; the oldest are forgotten. */
const keysRememberedMax = 1000

/** One session of somebody who types. */
export class WarehouseSession {
  readonly #client: Client
  readonly #keys = new Set<string>()
  /** The last line under way for a key. */
  readonly #underWay = new Map<string, Promise<unknown>>()

  constructor(client: Client) {
    this.#client = client
  }

  /**
   * Carries out one line (without its ending). Undefined for one with nothing in it, `exit` for the end; fails never.
   * Lines may be given before earlier ones are answered: those of one key wait for each other, so that repeating one
   * of them cannot change their order. Whoever aborts the signal gets an answer that says whether a write may have
   * happened.
   */
  async carryOut(line: Buffer, signal?: AbortSignal): Promise<Answer | 'exit' | undefined> {
    const said = readWarehouseLine(line, uuid4Rule)
    if (said === undefined) return undefined
    if ('kind' in said) return failed(warehouseErrorText(said.code), said.code, true)
    if (said.word === 'EXIT') return 'exit'
    const options = signal === undefined ? {} : { signal }
    return said.key === '' ? this.#answerOrError(said, options) : this.#inTurn(said, options)
  }

  async #inTurn(said: WarehouseLine, options: { signal?: AbortSignal }): Promise<Answer> {
    const { key } = said
    this.#remember(key)
    const answering = Promise.resolve(this.#underWay.get(key)).then(() => this.#answerOrError(said, options))
    this.#underWay.set(key, answering)
    try {
      return await answering
    } finally {
      if (this.#underWay.get(key) === answering) this.#underWay.delete(key)
    }
  }

  async #answerOrError(said: WarehouseLine, options: { signal?: AbortSignal }): Promise<Answer> {
    try {
      return await this.#answer(said, options)
    } catch (error) {
      if (!(error instanceof QuorateError)) throw error
      return this.#errorAnswer(error, said.word)
    }
  }

  /** What the last word of a line that is being typed may become, and how much of it is there. */
  complete(line: string): [completions: string[], word: string] {
    const [, word = '', rest] = /^\s*(\S*)(?:\s+(.*))?$/s.exec(line) ?? []
    if (rest === undefined) {
      const found = Object.keys(warehouseWords).filter(name => name.startsWith(word.toUpperCase()))
      return [found.map(name => `${name} `), word]
    }
    const row = Object.entries(warehouseWords).find(([name]) => name === word.toUpperCase())?.[1]
    if (row === undefined || row.takes === 'nothing' || rest.includes(' ')) return [[], rest]
    return [[...this.#keys].reverse().filter(key => key.startsWith(rest.toLowerCase())), rest]
  }

  async #answer({ word, key, value }: WarehouseLine, options: { signal?: AbortSignal }): Promise<Answer> {
    switch (word) {
      case 'SET':
      case 'DELETE': {
        const written =
          word === 'SET'
            ? await this.#client.set(key, value.toString(), options)
            : await this.#client.delete(key, options)
        const text = writtenText(word, present(written))
        return well(text, { answer: text.split(' ')[0], replicas: written.copies })
      }
      case 'GET': {
        const entry = await this.#client.get(key, options)
        if (entry === undefined) return notFound
        if (!isOneLine(entry.bytes)) {
          const text = warehouseErrorText('NOT_ONE_LINE', undefined, { bytes: entry.bytes.length })
          return failed(text, 'NOT_ONE_LINE', true)
        }
        return well(entry.value, { key, value: entry.value })
      }
      case 'NODES': {
        const nodes = key === '' ? this.#client.nodes : this.#client.placement(key)
        return well(key === '' ? knownNodes(nodes) : nodes.join('\n'), { nodes })
      }
      case 'HEARTBEAT': {
        const heartbeat = await this.#client.heartbeat(options)
        return well(JSON.stringify({ ...heartbeat, leader: heartbeat.leader ?? null }), { ...heartbeat })
      }
      case 'STATUS': {
        const status = await this.#client.status(options)
        const active = status.members.filter(member => member.active).map(({ address }) => address)
        return well(warehouseStatus(status.leader, active, statusWarning(status)), { ...status })
      }
      case 'HELP':
        return well(warehouseHelp(), { commands: Object.values(warehouseWords) })
      case 'EXIT':
        return well('', {})
    }
  }

  /** What is said when a request failed, in the words of the dialect. */
  #errorAnswer(error: QuorateError, word: WarehouseWord): Answer {
    const kind = word === 'SET' || word === 'DELETE' ? 'write' : 'read'
    if (error.code === 'KEY_NOT_FOUND') return notFound
    const text = isOutOfReach(error)
      ? `Failed to ${kind} an entry`
      : isNodeCode(error.code)
        ? warehouseErrorText(error.code, { kind, engine: this.#client.engine ?? 'raft' }, error.details)
        : `Error: ${error.message}`
    return failed(text, error.code, error.definite)
  }

  #remember(key: string): void {
    this.#keys.delete(key)
    this.#keys.add(key)
    const [oldest] = this.#keys
    if (this.#keys.size > keysRememberedMax && oldest !== undefined) this.#keys.delete(oldest)
  }
}

/** Whether a line says that the session is to end. */
export function isExit(line: Buffer): boolean {
  const said = readWarehouseLine(line, uuid4Rule)
  return said !== undefined && 'word' in said && said.word === 'EXIT'
}

/** `Known nodes:` and a line each. */
export function knownNodes(nodes: readonly string[]): string {
  return ['Known nodes:', ...nodes].join('\n')
}

const notFound: Answer = {
  text: warehouseErrorText('KEY_NOT_FOUND'),
  json: { ok: false, code: 'KEY_NOT_FOUND', definite: true, message: 'Not found' },
  isWell: true,
}

function well(text: string, fields: Readonly<Record<string, unknown>>): Answer {
  return { text, json: { ok: true, ...fields }, isWell: true }
}

function failed(text: string, code: string, definite: boolean): Answer {
  return { text, json: { ok: false, code, definite, message: text }, isWell: false }
}

/** Whether every instance is dead, also where that leaves it open whether the write happened before. */
function isOutOfReach({ code, cause }: QuorateError): boolean {
  if (code === 'UNREACHABLE') return true
  return code === 'OUTCOME_UNKNOWN' && cause instanceof QuorateError && cause.code === 'UNREACHABLE'
}

/** Leaves out what is not known. */
function present({ existed, copies }: { existed: boolean | undefined; copies: number | undefined }): {
  existed?: boolean
  copies?: number
} {
  return { ...(existed === undefined ? {} : { existed }), ...(copies === undefined ? {} : { copies }) }
}
