/** The table's end of the thread that writes for it (lmdb-writer.ts). */
import { Worker } from 'node:worker_threads'
import { assert } from '../base/assert.js'
import {
  type WriterAnswer,
  type WriterData,
  type WriterMessage,
  writerState,
} from './lmdb-writer-messages.js'

/** How long `stop` waits for the thread; it only ever takes long when the disk does not answer. */
const stopMs = 10_000

type Answered = (error: Error | undefined) => void

/**
 * Those that run. A process that ends while one of them is within a transaction would never end: LMDB, when it is
 * unloaded, waits for a lock that a thread held which is no more. So they are stopped first, or, where the disk
 * does not answer, the process is killed.
 */
const running = new Set<WriterThread>()
process.on('exit', () => {
  for (const thread of running) if (!thread.stop()) process.kill(process.pid, 'SIGKILL')
})

/**
 * Starts the thread, gives it its messages in order and hands back its answers. After it has failed or was
 * stopped, further messages are dropped and further questions answered with the error.
 */
export class WriterThread {
  readonly #directory: string
  readonly #state = new SharedArrayBuffer(4)
  readonly #waiting: Answered[] = []
  #worker: Worker | undefined
  #failure: Error | undefined

  /** The thread is started when it is first needed. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** Tells the writer something that it does not answer. */
  tell(message: WriterMessage): void {
    if (this.#failure !== undefined) return
    this.#started().postMessage(message)
  }

  /** Tells the writer something, and calls `answered` in a later turn, in the order of asking. */
  ask(message: WriterMessage, answered: Answered): void {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      setImmediate(() => answered(failure))
      return
    }
    const worker = this.#started()
    this.#waiting.push(answered)
    // Somebody waits, so the process must not end before the answer; otherwise it may.
    worker.ref()
    worker.postMessage(message)
  }

  /**
   * Makes the writer give up what it is at and close its files; waits until it has, or says after a while that it
   * has not. Nothing is answered.
   */
  stop(): boolean {
    running.delete(this)
    const worker = this.#worker
    this.#waiting.length = 0
    this.#worker = undefined
    this.#failure ??= new Error('the writer of the table was stopped')
    if (worker === undefined) return true
    const word = new Int32Array(this.#state)
    Atomics.compareExchange(word, 0, writerState.running, writerState.stopping)
    worker.postMessage('stop')
    return Atomics.wait(word, 0, writerState.stopping, stopMs) !== 'timed-out'
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const workerData: WriterData = { directory: this.#directory, state: this.#state }
    const worker = new Worker(new URL('./lmdb-writer.js', import.meta.url), { workerData })
    worker.on('message', (answer: WriterAnswer) => this.#answer(answer))
    worker.on('error', error => this.#fail(error))
    worker.unref()
    this.#worker = worker
    running.add(this)
    return worker
  }

  #answer({ error }: WriterAnswer): void {
    const answered = this.#waiting.shift()
    if (answered === undefined) {
      assert(this.#worker === undefined, 'an answer belongs to a question')
      return
    }
    if (this.#waiting.length === 0) this.#worker?.unref()
    answered(error === undefined ? undefined : Object.assign(new Error(error.message), { code: error.code }))
  }

  /** The thread died of a mistake; nothing more can be written. */
  #fail(error: Error): void {
    if (this.#worker === undefined) return
    running.delete(this)
    this.#worker = undefined
    this.#failure = error
    for (const answered of this.#waiting.splice(0)) answered(error)
  }
}
