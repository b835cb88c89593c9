import { expect } from 'chai'
import { logIndex, type NodeId, term } from '../../src/base/ids.js'
import { seededRandom } from '../../src/base/random.js'
import { firstConfiguration } from '../../src/raft/configuration.js'
import type { Append, Entry, RaftMessage } from '../../src/raft/types.js'
import { describe as describeMember, named } from './cluster.js'
import { NodeDisk } from './node-disk.js'
import { options, SimulatedNode } from './simulated-node.js'

const [one, two, three] = [named('1'), named('2'), named('3')]
const noOp: Entry = { index: logIndex(1), term: term(1), kind: 'no-op', data: new Uint8Array(0) }
const before = { previousIndex: logIndex(0), previousTerm: term(0), commit: logIndex(0) }
const append: Append = {
  kind: 'append',
  term: term(1),
  ...before,
  round: 0,
  entries: [noOp],
  health: undefined,
}

/** Lets a node do everything that it has to do; its flushes end at once. */
function settle({ raft }: SimulatedNode): void {
  while (raft.takeOutput().save.length > 0) raft.saved()
}

function receive(node: SimulatedNode, from: NodeId, message: RaftMessage): void {
  node.raft.receive(from, message)
  settle(node)
}

describe('a leader that fell silent', () => {
  let node: SimulatedNode
  /** Node 2 has followed node 1, which has been silent for so long that node 2 is a candidate now. */
  beforeEach(() => {
    const configuration = firstConfiguration([one, two, three].map(describeMember), 'linearizable')
    node = new SimulatedNode(two, new NodeDisk(configuration), seededRandom('lost leader'))
    node.raft.tick(options.electionTicks)
    receive(node, one, append)
    node.raft.tick(2 * options.electionTicks)
    settle(node)
    receive(node, three, { kind: 'pre-vote-reply', term: term(2), granted: true })
    expect(node.raft.role.kind).to.equal('candidate')
  })

  it('is known by its successor to be gone, from the first moment on', () => {
    receive(node, three, { kind: 'vote-reply', term: term(2), granted: true })
    node.raft.tick(1)
    const heard = node.raft.view.health.map(({ id, heard }) => [id, heard])
    expect(heard).to.deep.equal([
      [one, false],
      [two, true],
      [three, true],
    ])
  })

  it('is not waited for once more when the votes for its successor are split', () => {
    const { electionAtTick, tick } = node.raft.view
    expect(electionAtTick - tick).to.be.below(options.electionTicks)
  })

  it('is not outbid at once by those who have just voted for its successor', () => {
    const voter = new SimulatedNode(
      three,
      new NodeDisk(firstConfiguration([one, two, three].map(describeMember), 'linearizable')),
      seededRandom('voter'),
    )
    receive(voter, one, append)
    voter.raft.disconnected(one)
    expect(voter.raft.view.electionAtTick - voter.raft.view.tick).to.be.below(options.electionTicks)
    const [lastIndex, lastTerm] = [logIndex(1), term(1)]
    receive(voter, two, { kind: 'vote-request', term: term(2), lastIndex, lastTerm, transfer: false })
    const { votedFor, electionAtTick, tick } = voter.raft.view
    expect(votedFor).to.equal(two)
    expect(electionAtTick - tick)
      .to.be.above(2 * options.heartbeatTicks)
      .and.at.most(options.electionTicks)
  })
})
