/**
 * The log of a node: events with fields, to standard error. One line at each change of state, none per request
 * at `info`. A machine gets JSON lines, a person at a terminal gets them pretty.
 */
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { unreachable } from '../base/assert.js'
import { displayAddress } from '../protocol/address.js'
import type { ClusterEvent } from '../protocol/request.js'
import type { LogLevel } from './config.js'

export type { Logger } from 'pino'

/** How a log is made. */
export interface LoggerOptions {
  readonly level: LogLevel
  /** The client address of the node, which every line names. */
  readonly node: string
  /** Whether a person reads it; whether standard error is a terminal if it is left out. */
  readonly forPeople?: boolean
  /** Where lines go instead of standard error. */
  readonly destination?: DestinationStream
}

const standardError = 2
/** Characters that are kept of a log that cannot be written; what comes beyond is dropped. */
const unwrittenMax = 64 * 1024

/**
 * Makes the log. Lines are written before the call returns, because the most interesting ones come right
 * before a process ends.
 */
export function createLogger(options: LoggerOptions): Logger {
  const forPeople = options.forPeople ?? process.stderr.isTTY === true
  const destination = options.destination ?? intoStandardError()
  const settings = {
    level: options.level,
    base: { node: options.node },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return pino(settings, forPeople ? prettyInto(destination) : destination)
}

/** A log that cannot be written ends no node: it may be on the disk that is full, or on a terminal that was closed. */
function intoStandardError(): DestinationStream {
  const lines = pino.destination({ fd: standardError, sync: true, maxLength: unwrittenMax })
  lines.on('error', () => {})
  return lines
}

/** Lines as people like them. Not the package's own stream, which writes later than when it is told. */
function prettyInto(destination: DestinationStream): DestinationStream {
  const prettify = prettyFactory({
    colorize: process.stderr.isTTY === true && !process.env['NO_COLOR'],
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'node,event',
    singleLine: true,
  })
  return { write: line => destination.write(prettify(line)) }
}

/** Writes what happened in the cluster, one line for each event, with `event` naming its kind. */
export function logClusterEvent(log: Logger, event: ClusterEvent): void {
  const { level, message } = describe(event)
  const { kind, ...fields } = event
  log[level]({ event: kind, ...fields }, message)
}

/** How grave an event is, and what it says to people. */
interface Description {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

function describe(event: ClusterEvent): Description {
  switch (event.kind) {
    case 'leader':
      return event.address === undefined
        ? warn(`There is no leader (term ${event.term}).`)
        : info(`Leader is ${displayAddress(event.address)} (term ${event.term}).`)
    case 'role':
      return info(`This node is ${event.role} now (term ${event.term}).`)
    case 'member-added':
      return info(`Node ${displayAddress(event.address)} added.`)
    case 'member-removed':
      return info(`Node ${displayAddress(event.address)} removed.`)
    case 'member-joining':
      return info(`Node ${displayAddress(event.address)} is joining.`)
    case 'member-leaving':
      return info(`Node ${displayAddress(event.address)} is leaving.`)
    case 'member-evicted':
      return warn(`Node ${displayAddress(event.address)} was evicted: the others take over its share.`)
    case 'crowded':
      return warn(`Key ${event.key} has ${event.versions} versions: somebody should reconcile them.`)
    case 'out-of-sync':
      return warn(`Node ${displayAddress(event.address)} out of sync.`)
    case 'in-sync':
      return info(`Node ${displayAddress(event.address)} in sync.`)
    case 'snapshot-sending':
      return info(`Sending a snapshot of entry ${event.index} to ${displayAddress(event.address)}.`)
    case 'snapshot-sent':
      return info(`The snapshot of entry ${event.index} reached ${displayAddress(event.address)}.`)
    case 'snapshot-receiving':
      return info(`Receiving a snapshot of entry ${event.index}.`)
    case 'snapshot-installed':
      return info(`The snapshot of entry ${event.index} is in place.`)
    case 'compacted':
      return info(`The journal begins after entry ${event.index} now.`)
    case 'disk':
      return event.state === 'full'
        ? error('The disk is full: writes are refused until there is space.')
        : info('The disk has space again: writes are taken.')
    case 'removed':
      return warn('This node was removed from the cluster.')
    default:
      return unreachable(event)
  }
}

function info(message: string): Description {
  return { level: 'info', message }
}

function warn(message: string): Description {
  return { level: 'warn', message }
}

function error(message: string): Description {
  return { level: 'error', message }
}
