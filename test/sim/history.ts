/**
 * What clients asked and heard, in the order in which it happened, as lines of JSON: recorded by the simulator
 * and by the tests on real processes alike, kept on disk if need be, and judged by linearizability.ts.
 *
 * The number of a line is the only time there is: an operation came before another one if its answer stands
 * above the other one's question. So all the lines of a history must be recorded by one process.
 */

/** What a client asked. Values should be used once only, or a judge cannot tell their writes apart. */
export type Action =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'put' | 'update' | 'set'; readonly key: string; readonly value: string }
  | { readonly op: 'delete'; readonly key: string }
  | { readonly op: 'cas'; readonly key: string; readonly version: number; readonly value: string }

/** What it heard. Versions are left out where the dialect does not tell them. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: string; readonly version?: number | undefined }
  | { readonly kind: 'written'; readonly version?: number | undefined }
  | { readonly kind: 'exists' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'mismatch'; readonly current?: number | undefined }
  /** Certainly not carried out, now or later: it leaves no trace and tells nothing. */
  | { readonly kind: 'refused' }
  /** May have been carried out, or may be at any later time, or never. */
  | { readonly kind: 'unknown' }

/** One question and its answer. */
export interface Operation {
  readonly id: number
  readonly client: string
  /** Operations of one connection take effect in the order asked; undefined where nothing is promised. */
  readonly connection: string | undefined
  readonly action: Action
  /** The number of the line that asked. */
  readonly calledAt: number
  /** The number of the line that answered; Infinity if none did, or one that says nothing. */
  readonly returnedAt: number
  readonly outcome: Outcome
}

/** A value as people see it in logs and reports: the beginning tells values apart. */
export function shorten(value: string): string {
  return value.length <= 16 ? value : `${value.slice(0, 12)}... (${value.length})`
}

/** Whether the outcome leaves open if the action was carried out. */
export function isUnknown(operation: Operation): boolean {
  return operation.outcome.kind === 'unknown'
}

type Line =
  | {
      readonly kind: 'call'
      readonly id: number
      readonly client: string
      readonly connection?: string | undefined
      readonly at?: number | undefined
      readonly action: Action
    }
  | {
      readonly kind: 'return'
      readonly id: number
      readonly at?: number | undefined
      readonly outcome: Outcome
    }

export interface RecorderOptions {
  /** Is handed every line as it is recorded, newline included: to write it down. */
  readonly write?: (line: string) => void
  /** Tells the time for whoever reads the lines; it decides nothing. */
  readonly nowMs?: () => number
}

/** Records one history. */
export class HistoryRecorder {
  readonly #options: RecorderOptions
  readonly #operations: Operation[] = []
  #lines = 0
  /** Writes that have no known outcome: not answered yet, or never to be. */
  unclearWrites = 0

  constructor(options: RecorderOptions = {}) {
    this.#options = options
  }

  /** Notes that a client asks now; returns the number by which {@link returned} knows the question. */
  called(client: string, action: Action, connection?: string): number {
    const id = this.#operations.length
    const calledAt = this.#record({ kind: 'call', id, client, connection, at: this.#now(), action })
    const outcome: Outcome = { kind: 'unknown' }
    if (action.op !== 'get') this.unclearWrites++
    this.#operations.push({ id, client, connection, action, calledAt, returnedAt: Infinity, outcome })
    return id
  }

  /** Notes the answer to a question, which is to have one answer at most. */
  returned(id: number, outcome: Outcome): void {
    const line = this.#record({ kind: 'return', id, at: this.#now(), outcome })
    const operation = answered(this.#operations[id], line, outcome)
    this.#operations[id] = operation
    if (operation.action.op !== 'get' && outcome.kind !== 'unknown') this.unclearWrites--
  }

  /** All that was recorded so far; what has no answer has an unknown outcome. */
  operations(): readonly Operation[] {
    return this.#operations
  }

  #record(line: Line): number {
    this.#options.write?.(`${JSON.stringify(line)}\n`)
    return this.#lines++
  }

  #now(): number | undefined {
    const nowMs = this.#options.nowMs?.()
    return nowMs === undefined ? undefined : Math.round(nowMs * 1000) / 1000
  }
}

/** Reads a recorded history. Throws on a line that cannot be one, except for a last line that was cut off. */
export function parseHistory(text: string): readonly Operation[] {
  const operations: Operation[] = []
  const lines = text.split('\n')
  // What stands behind the last newline is empty, or was being written when its process died.
  lines.pop()
  for (const [number, encoded] of lines.entries()) {
    // The format is our own, and a history that lies to its judge harms nobody but its reader.
    const line = JSON.parse(encoded) as Line
    if (line.kind === 'call') {
      const { id, client, connection, action } = line
      if (id !== operations.length)
        throw new Error(`line ${number + 1}: expected the call ${operations.length}`)
      const outcome: Outcome = { kind: 'unknown' }
      operations.push({ id, client, connection, action, calledAt: number, returnedAt: Infinity, outcome })
    } else {
      operations[line.id] = answered(operations[line.id], number, line.outcome)
    }
  }
  return operations
}

function answered(operation: Operation | undefined, line: number, outcome: Outcome): Operation {
  if (operation === undefined) throw new Error(`line ${line + 1}: an answer to a question never asked`)
  if (operation.returnedAt !== Infinity)
    throw new Error(`line ${line + 1}: a second answer to ${operation.id}`)
  return { ...operation, returnedAt: outcome.kind === 'unknown' ? Infinity : line, outcome }
}
