/**
 * Every error a client can see: one row each. Whether the request certainly did nothing is part of the row,
 * because a client must know whether repeating is harmless. When unsure, a row says that it may have happened.
 */

interface ErrorRow {
  /** The text after `ERROR: `; `{name}` is filled in from the failure's details. */
  readonly text: string
  /** True: the request certainly did nothing. False: it may have happened. */
  readonly definite: boolean
  /** What whoever reads it can do next, for the reference page. */
  readonly advice: string
}

/**
 * The table, by code. Codes are part of the protocol: programs tell errors apart by them, so a code keeps its
 * meaning, while the texts are for people.
 */
export const errors = {
  KEY_EXISTS: {
    text: 'Key already exists.',
    definite: true,
    advice: 'Use `update`, or `set`, which writes either way.',
  },
  KEY_NOT_FOUND: {
    text: 'Key not found.',
    definite: true,
    advice: 'Use `put`, or `set`, which writes either way.',
  },
  VERSION_MISMATCH: {
    text: 'Version mismatch (current {current}).',
    definite: true,
    advice: 'Read again with `get --version` and decide anew.',
  },
  INVALID_FORMAT: {
    text: 'Invalid command format. Usage: {usage}',
    definite: true,
    advice: 'Type it as the usage says.',
  },
  UNKNOWN_COMMAND: {
    text: "Unknown command '{command}'. Type 'help' for the list of commands.",
    definite: true,
    advice: 'Type `help`.',
  },
  UNKNOWN_OPTION: {
    text: "Unknown option '{option}'. Usage: {usage}",
    definite: true,
    advice: 'Options come right after the verb; `--` ends them.',
  },
  LINE_TOO_LONG: {
    text: 'Line too long (limit {limit} bytes).',
    definite: true,
    advice: 'Start the nodes with a larger `--max-line`, or store less under one key.',
  },
  KEY_TOO_LONG: {
    text: 'Key too long (limit {limit} bytes).',
    definite: true,
    advice: 'Use a shorter key.',
  },
  INVALID_KEY: {
    text: 'Invalid key: a key is one word, without whitespace.',
    definite: true,
    advice: 'Use another separator within the key, `:` or `/` for example.',
  },
  KEY_NOT_UUID4: {
    text: 'Key is not a proper UUID4.',
    definite: true,
    advice: 'Keys of a Warehouse 13 are UUIDs of version 4, in either case.',
  },
  INVALID_ADDRESS: {
    text: "Invalid address '{address}'. Write <host> or <host>:<port>.",
    definite: true,
    advice: 'A node is named by its client address, as `status` shows it.',
  },
  NOT_UTF8: {
    text: 'Not valid UTF-8.',
    definite: true,
    advice: 'Send text as UTF-8; binary values go through the JSON or the Redis dialect.',
  },
  INVALID_JSON: {
    text: 'Not a JSON request: {reason}',
    definite: true,
    advice: 'Send one JSON object a line, with `op` and what the op needs.',
  },
  NOT_ONE_LINE: {
    text: 'Value is not one line of text ({bytes} bytes). Use get --raw.',
    definite: true,
    advice: 'Use `get --raw`, which announces the length first.',
  },
  NODE_EXISTS: {
    text: 'Node {node} already exists in cluster.',
    definite: true,
    advice: 'Nothing to do: `status` lists it.',
  },
  NODE_UNKNOWN: {
    text: 'Node {node} does not exist in cluster.',
    definite: true,
    advice: '`status` lists the members; a node is named as it is shown there.',
  },
  NODE_REFUSED: {
    text: 'Node {node} cannot be added: {reason}',
    definite: true,
    advice: 'Do what the reason says, then add it again.',
  },
  NODE_UNREACHABLE: {
    text: 'Node {node} cannot be added: {reason}',
    definite: true,
    advice: 'See that it runs and that its address is right, then add it again.',
  },
  JOIN_REFUSED: {
    text: 'This node did not join: {reason}',
    definite: true,
    advice: 'Do what the reason says, then join again.',
  },
  REMOVE_REFUSED: {
    text: 'Node {node} cannot be removed: {reason}',
    definite: true,
    advice: 'Bring other members back, or add some, first.',
  },
  ADD_CANCELLED: {
    text: 'Node {node} was removed before it was added.',
    definite: false,
    advice: 'Somebody typed `remove-node` meanwhile.',
  },
  TRANSFER_FAILED: {
    text: 'Leadership was not transferred to {node}: {reason}',
    definite: false,
    advice: 'See `status`, then try again.',
  },
  LEADER_UNAVAILABLE: {
    text: 'Leader unavailable. Retrying...',
    definite: true,
    advice: 'Nothing was done: send it again. If it stays, a majority of the nodes is away: see `status`.',
  },
  OUTCOME_UNKNOWN: {
    text: 'Outcome unknown. The write may have happened.',
    definite: false,
    advice: 'Read before you repeat it; a JSON client that names its writes may simply repeat it.',
  },
  ENTRY_UNAVAILABLE: {
    text: 'Entry unavailable, its replicas are down.',
    definite: true,
    advice:
      'The nodes that keep it are all away, and whether it is there cannot be said. Bring one of them back, then ask again.',
  },
  QUORUM_NOT_MET: {
    text: 'Quorum not met ({reached} of {quorum}).',
    definite: false,
    advice:
      'A write may be on the copies that were reached, and spreads from there; `--quorum 1` asks for less.',
  },
  QUORUM_UNREACHABLE: {
    text: 'Quorum not met ({reached} of {quorum}).',
    definite: true,
    advice: 'Nothing was written. Bring nodes back, or ask for less with `--quorum 1`.',
  },
  QUORUM_INVALID: {
    text: 'Quorum must be from 1 to {copies}, the number of copies.',
    definite: true,
    advice: 'Ask for no more copies than there are; `--replication-factor` says how many.',
  },
  CONTEXT_INVALID: {
    text: 'Not a context of this key: give one as an answer gave it.',
    definite: true,
    advice: 'Copy what follows `Context:` in an answer about this key, or the field `context` in JSON.',
  },
  TOO_MANY_VERSIONS: {
    text: 'Key has too many versions. Read them and put one with their context.',
    definite: true,
    advice: 'Use `get --context`, then `put --context` with what it gave, or `set`.',
  },
  VALUE_TOO_LARGE: {
    text: 'Value too large (limit {limit} bytes).',
    definite: true,
    advice: 'Store less under one key.',
  },
  BUSY: {
    text: 'Server busy. Nothing was done, send it again.',
    definite: true,
    advice: 'Send less at once, or wait a little.',
  },
  DISK_FULL: {
    text: 'Disk full. Writes are refused.',
    definite: true,
    advice: 'Make room on the disk that holds the data directory; writes resume by themselves.',
  },
  TOO_LARGE: {
    text: 'Too much to write or to answer at once (limit {limit} bytes). Nothing was done.',
    definite: true,
    advice: 'Ask for less at once.',
  },
  TOO_MANY_CONNECTIONS: {
    text: 'Too many connections (limit {limit}).',
    definite: true,
    advice: 'Close some, or start the node with a larger `--max-connections`.',
  },
  NODE_REMOVED: {
    text: 'This node was removed from the cluster.',
    definite: true,
    advice: 'Talk to another node; to use this machine again, empty its data directory and add it.',
  },
  NODE_REPLACED: {
    text: 'This node lost its data directory: cluster {cluster} knows {address} under another identity. On a member type: remove-node {address}, then add-node {address}.',
    definite: true,
    advice: 'Remove the old identity on a living member, then add the node.',
  },
  NOT_A_MEMBER: {
    text: 'This node is not a member of a cluster yet.',
    definite: true,
    advice: 'It waits for the nodes of `--cluster`, or to be added; its log says which.',
  },
  ENGINE_MISMATCH: {
    text: "'{command}' needs the {engine} engine.",
    definite: true,
    advice: 'The engine is chosen when a cluster is created.',
  },
  STOPPING: {
    text: 'This node is stopping. Nothing was done, send it again.',
    definite: true,
    advice: 'Connect to another node.',
  },
} as const satisfies Record<string, ErrorRow>

/** A row of {@link errors}. */
export type ErrorCode = keyof typeof errors

/** The error's text with its details filled in, without the `ERROR: ` before it. */
export function errorText(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}): string {
  return filledIn(errors[code].text, details)
}

/** A text with its details in the places of their names (`{name}`); one that is not given leaves its place as it is. */
export function filledIn(text: string, details: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(details[name] ?? whole))
}
