/**
 * The thread that writes the table's environments, so that the loop of the node never does: it sorts what
 * it is given, writes it in one transaction and syncs it.
 *
 * A thread of our own, and not the asynchronous transactions of the library, because those hold the loop:
 * measured with 100,000 rows of 100 bytes, queueing a batch takes the calling thread 170 to 240 ms in one
 * piece (it cannot be spread over turns and stay one transaction), and an asynchronous transaction's callback
 * writes in the calling thread. Rows that are handed over stay where they are, in memory
 * that both threads see.
 *
 * What it is told is in lmdb-writer-messages.ts.
 */
import fs from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { present } from '../base/assert.js'
import { expiryWord } from './expiry-order.js'
import { countExpiries, openRows, type Rows } from './lmdb-environment.js'
import {
  encodeMeta,
  expiryCountKey,
  expiryOfRow,
  expiryRowKey,
  keyOfRow,
  metaRowKey,
  nothing,
  RowEncoder,
} from './lmdb-row.js'
import {
  type WriterAnswer,
  type WriterData,
  type WriterMessage,
  writerState,
} from './lmdb-writer-messages.js'
import type { SharedRows } from './row-map.js'
import type { RowSlabs } from './row-slabs.js'
import { rowsInOrder } from './rows-in-order.js'

/** A snapshot is committed in pieces of about this size: nobody sees it before it is finished. */
const snapshotCommitBytes = 16 * 1024 * 1024
/**
 * On a full disk the system writes a part of what it is asked to, and LMDB calls that an input/output error. It
 * is taken for what it is when less than this is free.
 */
const freeBytesMin = 32 * 1024 * 1024
/** The errors of the operating system that are told apart further up, by number. */
const systemErrors: Readonly<Record<number, string>> = { 5: 'EIO', 28: 'ENOSPC', 122: 'EDQUOT' }

class Stopped extends Error {}

/** An environment and what is to be written to it with the next commit. */
class Target {
  readonly #rows: Rows
  readonly #isStopping: () => boolean
  readonly #encoder = new RowEncoder()
  #waiting: SharedRows[] = []
  #bytes = 0
  #isToBeCleared = false

  constructor(directory: string, isStopping: () => boolean) {
    this.#rows = openRows(directory)
    this.#isStopping = isStopping
  }

  /** Takes rows; returns how many bytes wait. */
  add(rows: SharedRows): number {
    this.#waiting.push(rows)
    this.#bytes += rows.bytes
    return this.#bytes
  }

  /** The next commit begins by removing everything. */
  clear(): void {
    this.#isToBeCleared = true
  }

  /** Writes all that waits, and `meta` if it is given, in one transaction that is synced before it returns. */
  commit(meta: Uint8Array | undefined): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    const isToBeCleared = this.#isToBeCleared
    this.#isToBeCleared = false
    this.#rows.transactionSync(() => {
      if (isToBeCleared) this.#rows.clearSync()
      const expiries = countExpiries(this.#rows)
      let added = 0
      // In the order of the keys, neighbours are written to one page together.
      const { rows, places } = rowsInOrder(waiting)
      for (const place of places) {
        if (this.#isStopping()) throw new Stopped()
        added += this.#write(rows, place, expiries > 0)
      }
      if (added !== 0) {
        const count = Buffer.alloc(8)
        count.writeDoubleLE(expiries + added)
        this.#rows.putSync(expiryCountKey, count)
      }
      if (meta !== undefined) this.#rows.putSync(metaRowKey, encodeMeta(meta))
    })
  }

  close(): Promise<void> {
    return this.#rows.close()
  }

  /** Writes one row; returns how many more there are now that tell when a key expires. */
  #write(rows: RowSlabs, place: number, mayHaveExpired: boolean): number {
    const encoder = this.#encoder
    const row = rows.keyAndValue(place)
    if (rows.isRemoval(place)) {
      encoder.encodeKey(row)
      // No key comes twice, so that where nothing expired before, nothing needs to be looked up.
      const forgotten = mayHaveExpired ? this.#forgetExpiry(encoder.key) : 0
      this.#rows.removeSync(encoder.key)
      return -forgotten
    }
    encoder.encode(row, rows.keyLength(place))
    const { key, value } = encoder
    const forgotten = mayHaveExpired ? this.#forgetExpiry(key) : 0
    this.#rows.putSync(key, value)
    return this.#noteExpiry(key, value) - forgotten
  }

  /** Returns how many rows it removed that tell when a key expires. */
  #forgetExpiry(key: Buffer): number {
    const row = this.#rows.get(key)
    const expiresAt = row && expiryOfRow(row)
    if (expiresAt === undefined) return 0
    this.#rows.removeSync(expiryRowKey(expiryWord(expiresAt, keyOfRow(key))))
    return 1
  }

  /** Returns how many such rows it added. */
  #noteExpiry(key: Buffer, value: Buffer): number {
    const expiresAt = expiryOfRow(value)
    if (expiresAt === undefined) return 0
    this.#rows.putSync(expiryRowKey(expiryWord(expiresAt, keyOfRow(key))), nothing)
    return 1
  }
}

function run(): void {
  const port = present(parentPort, 'the port to the thread that started this one')
  const { directory, state } = workerData as WriterData // What lmdb-table.ts gives.
  const word = new Int32Array(state)
  const isStopping = (): boolean => Atomics.load(word, 0) !== writerState.running
  let table = new Target(directory, isStopping)
  let snapshot: Target | undefined
  let snapshotFailure: unknown

  const answering = (act: () => void): void => {
    try {
      act()
      port.postMessage({ error: undefined } satisfies WriterAnswer)
    } catch (error) {
      if (!(error instanceof Stopped))
        port.postMessage({ error: describe(error, directory) } satisfies WriterAnswer)
    }
  }

  const beginSnapshot = (directory: string): void => {
    void snapshot?.close()
    snapshot = undefined
    snapshotFailure = undefined
    try {
      snapshot = new Target(directory, isStopping)
    } catch (error) {
      snapshotFailure = error
    }
  }

  const addToSnapshot = (rows: SharedRows): void => {
    if (snapshotFailure !== undefined) return
    try {
      const target = present(snapshot, 'a snapshot that was begun')
      if (target.add(rows) >= snapshotCommitBytes) target.commit(undefined)
    } catch (error) {
      snapshotFailure = error
    }
  }

  const handle = (message: WriterMessage): void => {
    switch (message.kind) {
      case 'rows':
        if (message.into === 'table') table.add(message.rows)
        else addToSnapshot(message.rows)
        break
      case 'clear':
        table.clear()
        break
      case 'commit':
        answering(() => table.commit(message.meta))
        break
      case 'begin':
        beginSnapshot(message.directory)
        break
      case 'finish':
        answering(() => {
          if (snapshotFailure !== undefined) throw snapshotFailure
          present(snapshot, 'a snapshot that was begun').commit(message.meta)
        })
        break
      case 'adopt':
        void table.close()
        table = present(snapshot, 'a snapshot that was finished')
        snapshot = undefined
        break
    }
  }

  const stop = async (): Promise<void> => {
    port.close()
    await Promise.allSettled([table.close(), snapshot?.close()])
    Atomics.store(word, 0, writerState.stopped)
    Atomics.notify(word, 0)
  }

  port.on('message', (message: WriterMessage | 'stop') => {
    if (message === 'stop') void stop()
    else if (!isStopping()) handle(message)
  })
}

/** An error in a form that survives the way to another thread. */
function describe(error: unknown, directory: string): WriterAnswer['error'] {
  const message = error instanceof Error ? error.message : String(error)
  const given = error instanceof Error && 'code' in error ? error.code : undefined
  const code = typeof given === 'number' ? systemErrors[given] : given
  if (code === 'EIO' && freeBytes(directory) < freeBytesMin)
    return { message: 'No space left', code: 'ENOSPC' }
  return { message, code: typeof code === 'string' ? code : undefined }
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = fs.statfsSync(directory)
  return bavail * bsize
}

run()
