/**
 * The public face of the package: `import { Client } from 'quorate'`. What is exported here is promised; everything
 * else may change.
 */
export { Client, type EventsOptions, type KeysOptions } from './client.js'
export type { Fields } from './connection.js'
export { clientErrors, QuorateError, type QuorateErrorCode } from './errors.js'
export type { ClientEvent } from './events.js'
export {
  type ClientOptions,
  clientDefaults,
  type ReadOptions,
  type RequestOptions,
  type WriteOptions,
} from './options.js'
export type { Entry, Heartbeat, KeyPage, Sibling, Status, StatusMember, Written } from './results.js'
