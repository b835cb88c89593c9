/** What a text dialect is: how lines are read and answered. A client port has one of them. */
import type { ByteWriter } from './byte-writer.js'
import type { Command } from './command.js'
import type { Engine } from './commands.js'
import type { Failure, Response } from './request.js'
import { parseText } from './text.js'
import { helpText, watchText, writeTextFailure, writeTextReply } from './text-reply.js'

/** See {@link quorateText} for the usual one. */
export interface TextDialect {
  /** The command in a line, a failure to be answered instead, or undefined for a line with nothing in it. */
  parse(line: Buffer, engine: Engine): Command | Failure | undefined
  /** Writes the whole reply, with its last newline. */
  writeReply(command: Command, response: Response, out: ByteWriter): void
  /** Writes what is answered to a line that was no command. */
  writeFailure(failure: Failure, out: ByteWriter): void
  /** The reply to a request for help. */
  help(engine: Engine): string
  /** The reply to `watch`. */
  readonly watch: string
  /** Keys have one version whatever the engine: JSON at the same port then knows nothing of several, either. */
  readonly oneVersion: boolean
}

/** The dialect of `quorate`. */
export const quorateText: TextDialect = {
  parse: parseText,
  writeReply: writeTextReply,
  writeFailure: writeTextFailure,
  help: helpText,
  watch: watchText,
  oneVersion: false,
}
