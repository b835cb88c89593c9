/**
 * Reads the JSON dialect: a line that is one object asks, a line that is one object answers. It speaks the
 * commands of the table; the words and options of a command are fields of the object, called as in the table
 * (`value` may come as `valueBase64`, and `node` names a node). `request` names a write. What is not known is
 * refused, so that a misspelled field is never silently ignored.
 */
import { AssertionError } from '../base/assert.js'
import {
  type Arguments,
  type Command,
  emptyArguments,
  engineMismatch,
  shortened,
  toCommand,
} from './command.js'
import {
  commandRow,
  type Engine,
  findCommand,
  isFor,
  type OptionRow,
  usage,
  type Verb,
  type WordRow,
} from './commands.js'
import { checkKey } from './key.js'
import { type Failure, failure } from './request.js'
import { isUtf8 } from './utf8.js'

/** What a client calls its request; `null` where the request could not be read, undefined where it gave none. */
export type JsonId = string | number | null | undefined

/** A message between nodes that arrives at the client port; neither it nor its answer is looked into here. */
export interface ControlMessage {
  readonly kind: 'control'
  readonly message: Record<string, unknown>
}

/** One line of JSON, read. */
export interface JsonRequest {
  readonly id: JsonId
  readonly request: Command | ControlMessage | Failure
}

/** The operations of the conversation between nodes. */
const controlOperations: ReadonlySet<string> = new Set(['hello', 'adopt', 'promise', 'form', 'join'])

/**
 * Reads a line (without its line ending) that begins with `{`; `oneVersion` where keys have one version whatever the
 * engine.
 */
export function parseJson(line: Buffer, engine: Engine, oneVersion = false): JsonRequest {
  if (!isUtf8(line)) return { id: null, request: failure('NOT_UTF8') }
  const message = parsedObject(line.toString('utf8'))
  if (message === undefined) return { id: null, request: invalidJson('not one whole JSON object.') }
  const id = message['id']
  if (id !== undefined && !isId(id)) {
    return { id: null, request: invalidJson('"id" must be a string or a safe number.') }
  }
  return { id, request: toRequest(message, engine, oneVersion) }
}

function toRequest(
  message: Record<string, unknown>,
  engine: Engine,
  oneVersion: boolean,
): JsonRequest['request'] {
  const operation = message['op']
  if (typeof operation !== 'string') return invalidJson('"op" is missing.')
  if (isControl(operation, message)) return { kind: 'control', message }
  const verb = findCommand(operation)
  if (verb === undefined) return failure('UNKNOWN_COMMAND', { command: shortened(operation) })
  if (!isFor(engine, verb)) return engineMismatch(verb, engine)
  const given = emptyArguments()
  return readFields(message, verb, engine, oneVersion, given) ?? toCommand(verb, given, engine)
}

/** Whether nodes say this to each other. `join` is a command, too, which names a node instead of an address. */
function isControl(operation: string, message: Record<string, unknown>): boolean {
  return controlOperations.has(operation) && (operation !== 'join' || 'address' in message)
}

/** Reads the fields of a request into `given`; what is wrong with them, if anything is. */
function readFields(
  message: Record<string, unknown>,
  verb: Verb,
  engine: Engine,
  oneVersion: boolean,
  given: Arguments,
): Failure | undefined {
  const row = commandRow(verb)
  let options: Map<string, string | number | true> | undefined
  /** A bit for each word of the row that is there. */
  let seen = 0
  for (const name of Object.keys(message)) {
    if (name === 'id' || name === 'op') continue
    const field = message[name]
    if (name === 'request' && row.kind === 'write') {
      if (!isUuid(field)) return invalidJson('"request" must be a UUID.')
      given.identity = field.toLowerCase()
      continue
    }
    const place = placeOf(name === 'valueBase64' ? 'value' : name, row.words)
    if (place !== -1) {
      // Only a value has two names, and so can come twice.
      if ((seen & (1 << place)) !== 0) return invalidJson('give "value" or "valueBase64", not both.')
      const problem = readField(name, field, given)
      if (problem !== undefined) return problem
      seen |= 1 << place
      continue
    }
    const option = Object.hasOwn(row.options, name) ? row.options[name] : undefined
    if (option === undefined) return invalidJson(`'${verb}' has no "${shortened(name)}".`)
    // Whoever says it is refused, rather than left to believe that it was heeded.
    if (oneVersion && option.ofVersions) {
      return failure('UNKNOWN_OPTION', { option: name, usage: usage(verb, engine, oneVersion) })
    }
    if (!isFor(engine, verb, option)) return engineMismatch(verb, engine, name)
    const read = optionValue(option, field)
    if (typeof read === 'object') return invalidJson(`"${name}" must be a ${read.wanted}.`)
    // A flag that is false is one that is not there.
    if (read === false) continue
    options ??= new Map()
    options.set(name, read)
  }
  if (options !== undefined) given.options = options
  for (const [place, word] of row.words.entries()) {
    const isLacking = !word.optional && (seen & (1 << place)) === 0
    if (isLacking) return invalidJson(`'${verb}' needs "${word.name}".`)
  }
  return undefined
}

/** Which of the words has that name; -1 if none has. */
function placeOf(name: string, words: readonly WordRow[]): number {
  for (let place = 0; place < words.length; place++) if (words[place]?.name === name) return place
  return -1
}

/** The value of an option if it is of the right kind, else what kind is wanted. */
function optionValue(option: OptionRow, field: unknown): string | number | boolean | { wanted: string } {
  if (option.takes === undefined) return typeof field === 'boolean' ? field : { wanted: 'boolean' }
  if (option.takes.is === 'number') return isCount(field) ? field : { wanted: countWanted }
  return typeof field === 'string' ? field : { wanted: 'string' }
}

/** Reads one word of a command; the names are those of the table. */
function readField(name: string, field: unknown, given: Arguments): Failure | undefined {
  if (name === 'version') {
    if (!isCount(field)) return invalidJson(`"version" must be a ${countWanted}.`)
    given.number = field
    return undefined
  }
  if (typeof field !== 'string') return invalidJson(`"${name}" must be a string.`)
  switch (name) {
    case 'key': {
      given.key = field
      return checkKey(field)
    }
    case 'value':
      // A surrogate without its other half has no UTF-8 form, and would be stored as something else.
      if (/\p{Surrogate}/u.test(field)) return failure('NOT_UTF8')
      given.value = Buffer.from(field)
      return undefined
    case 'valueBase64': {
      given.value = Buffer.from(field, 'base64')
      return isBase64Of(field, given.value)
        ? undefined
        : invalidJson('"valueBase64" must be base64, with its padding.')
    }
    case 'node':
      given.node = field
      return undefined
    case 'prefix':
      given.text = field
      return undefined
    default:
      throw new AssertionError(`the table has a word ${name} that JSON requests do not know`)
  }
}

function invalidJson(reason: string): Failure {
  return failure('INVALID_JSON', { reason })
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    // Text that begins with `{` and parses is an object.
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isId(value: unknown): value is string | number | null {
  if (typeof value === 'string' || value === null) return true
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

const countWanted = 'whole number, 0 or more'

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}

/** Decoding ignores what is not base64, so only a text that comes back the same was base64. */
function isBase64Of(text: string, decoded: Uint8Array): boolean {
  return Buffer.from(decoded.buffer, decoded.byteOffset, decoded.byteLength).toString('base64') === text
}
