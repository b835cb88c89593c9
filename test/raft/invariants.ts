/** What must hold after every step of a simulated cluster, whatever was lost, repeated or crashed. */
import { assert } from '../../src/base/assert.js'
import { logIndex, type NodeId } from '../../src/base/ids.js'
import type { RaftMessage } from '../../src/raft/types.js'
import { renderEntry } from './render.js'
import type { SimulatedNode } from './simulated-node.js'

export class Invariants {
  readonly #leaders = new Map<number, NodeId>()
  readonly #votes = new Map<string, NodeId>()
  /** The committed entries, by index, each as text, and the term of the node that first told of it. */
  readonly #committed: ({ readonly text: string; readonly term: number } | undefined)[] = []
  readonly #tables = new Map<number, string>()
  /** What was committed when each read came. */
  readonly #reads = new Map<number, number>()

  check(node: SimulatedNode): void {
    this.#checkLeader(node)
    this.#checkCommitted(node)
    this.#checkTable(node)
  }

  /** Checks what a node promises by a message that leaves now. */
  checkMessage(node: SimulatedNode, to: NodeId, message: RaftMessage): void {
    const isVote = message.kind === 'vote-reply' && message.granted
    const isAcknowledgement = message.kind === 'append-reply' && message.outcome.kind === 'matched'
    if (!isVote && !isAcknowledgement) return
    const disk = node.disk.recover()
    assert(disk.state.term >= message.term, `the term ${message.term} that ${node.id} tells is on its disk`)
    if (isVote) {
      const vote = `${node.id} in ${message.term}`
      const before = this.#votes.get(vote)
      assert(before === undefined || before === to, `${vote} votes once, and did for ${before}`)
      this.#votes.set(vote, to)
    }
    if (isAcknowledgement && message.outcome.kind === 'matched') {
      const { matched } = message.outcome
      assert(disk.log.lastIndex >= matched, `${node.id} has ${matched} on its disk, which it acknowledges`)
    }
  }

  /** A read comes; it must see everything that anybody knows to be committed now. */
  noteRead(token: number): void {
    this.#reads.set(token, Math.max(0, this.#committed.length - 1))
  }

  checkRead(token: number, index: number): void {
    const committed = this.#reads.get(token) ?? 0
    assert(index >= committed, `read r${token} sees what was committed before it: ${committed}, not ${index}`)
  }

  #checkLeader(node: SimulatedNode): void {
    const { role, term, log } = node.raft.view
    if (role.kind !== 'leader') return
    const before = this.#leaders.get(term)
    assert(before === undefined || before === node.id, `one leader in term ${term}: ${before}, ${node.id}`)
    if (before !== undefined) return
    this.#leaders.set(term, node.id)
    this.#committed.forEach((committed, index) => {
      // A leader may be elected by late votes when a newer one has committed already.
      if (committed === undefined || committed.term >= term || index <= log.base.index) return
      const entry = log.entry(logIndex(index))
      const text = entry === undefined ? 'nothing' : renderEntry(entry)
      assert(text === committed.text, `leader ${node.id} holds ${committed.text}, not ${text}`)
    })
  }

  #checkCommitted(node: SimulatedNode): void {
    const { log, commitIndex, term } = node.raft.view
    assert(commitIndex <= log.lastIndex, `${node.id} holds what it knows as committed`)
    for (let index = log.base.index + 1; index <= commitIndex; index++) {
      const entry = log.entry(logIndex(index))
      const text = entry === undefined ? 'nothing' : renderEntry(entry)
      const before = this.#committed[index]
      assert((before?.text ?? text) === text, `${before?.text} is committed, ${node.id} has ${text}`)
      if (before === undefined) this.#committed[index] = { text, term }
    }
  }

  #checkTable(node: SimulatedNode): void {
    const { appliedIndex } = node.raft.view
    const table = node.rows.join(', ')
    const before = this.#tables.get(appliedIndex)
    assert(
      before === undefined || before === table,
      `at ${appliedIndex} ${node.id} holds ${table}: ${before}`,
    )
    this.#tables.set(appliedIndex, table)
  }
}
