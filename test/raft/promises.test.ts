import { expect } from 'chai'
import { logIndex, type NodeId, term } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import { firstConfiguration } from '../../src/raft/configuration.js'
import type { RaftOutput } from '../../src/raft/raft.js'
import type { Append, Entry, RaftMessage, ReadMode } from '../../src/raft/types.js'
import { describe as describeMember, named } from './cluster.js'
import { NodeDisk } from './node-disk.js'
import { SimulatedNode } from './simulated-node.js'

const [one, two, three] = [named('1'), named('2'), named('3')]

/** One of three nodes; the test plays the others. */
function follower(reads: ReadMode): SimulatedNode {
  const configuration = firstConfiguration([one, two, three].map(describeMember), reads)
  return new SimulatedNode(two, new NodeDisk(configuration), seededRandom('promises'))
}

/** Takes everything that a node wants to say, its flushes ending at once. */
function takeMessages(node: SimulatedNode): { readonly to: NodeId; readonly message: RaftMessage }[] {
  const messages: RaftOutput['send'][number][] = []
  for (;;) {
    const output = node.raft.takeOutput()
    messages.push(...output.sendNow, ...output.send)
    if (output.save.length === 0) return messages
    node.raft.saved()
  }
}

function append(entries: readonly Entry[], round: number): Append {
  const before = { previousIndex: logIndex(0), previousTerm: term(0), commit: logIndex(0) }
  return { kind: 'append', term: term(1), ...before, round, entries, health: undefined }
}

const noOp: Entry = { index: logIndex(1), term: term(1), kind: 'no-op', data: new Uint8Array(0) }

describe('what a follower promises', () => {
  it('a voter under a lease refuses its vote while the leader may live, even in a term it has learned of', () => {
    const node = follower('lease')
    node.raft.tick(20)
    node.raft.receive(one, append([noOp], 0))
    takeMessages(node)
    // Node 3 answers something that node 2 said when it led, long ago.
    const outcome = { kind: 'stale' } as const
    const rest = { round: 0, lastIndex: logIndex(0), appliedIndex: logIndex(0), diskFull: false }
    node.raft.receive(three, { kind: 'append-reply', term: term(2), outcome, ...rest })
    expect(node.raft.view.term).to.equal(2)
    const asks: RaftMessage = {
      kind: 'vote-request',
      term: term(2),
      lastIndex: logIndex(1),
      lastTerm: term(1),
      transfer: false,
    }
    node.raft.receive(three, asks)
    expect(takeMessages(node)).to.deep.include({
      to: three,
      message: { kind: 'vote-reply', term: 2, granted: false },
    })
    node.raft.tick(11)
    node.raft.receive(three, asks)
    expect(takeMessages(node)).to.deep.include({
      to: three,
      message: { kind: 'vote-reply', term: 2, granted: true },
    })
  })

  it('a candidate answers no read round of a leader of an earlier term in its own', () => {
    const node = follower('linearizable')
    node.raft.receive(one, append([], 1))
    node.raft.takeOutput()
    // Term 1 is being saved; the acknowledgement of the next append has to wait for the batch after it.
    node.raft.receive(one, append([noOp], 5))
    node.raft.receive(one, { kind: 'timeout-now', term: term(1) })
    node.raft.saved()
    const ofOwnTerm = takeMessages(node).filter(({ message }) => message.term === 2)
    expect(ofOwnTerm.map(({ message }) => message.kind)).to.deep.equal(['vote-request', 'vote-request'])
    // Nor does it when an append of the earlier leader comes late.
    node.raft.receive(one, append([], 6))
    const [late] = takeMessages(node)
    expect(late?.message).to.deep.include({ kind: 'append-reply', term: 2, round: 0 })
  })
})
