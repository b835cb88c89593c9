import { expect } from 'chai'
import { clusterId, nodeId } from '../../src/base/ids.js'
import type { ControlAnswer } from '../../src/net/control-client.js'
import { peerProtocolVersion } from '../../src/net/transport.js'
import { type Adopter, adopt } from '../../src/node/admission.js'
import type { Introduction } from '../../src/node/control.js'
import { plainIntroduction } from '../../src/node/control.js'
import { failure } from '../../src/protocol/request.js'

const self = {
  id: nodeId('00000000-0000-4000-8000-000000000001'),
  address: '127.0.0.1:5000',
  peerAddress: '127.0.0.1:6000',
}
const unused: Introduction = {
  protocol: peerProtocolVersion,
  engine: 'ring',
  member: {
    id: nodeId('00000000-0000-4000-8000-000000000002'),
    address: '127.0.0.1:5001',
    peerAddress: '127.0.0.1:6001',
  },
  standing: 'pristine',
  cluster: undefined,
  nodes: [],
  preset: 'quorate',
  replicationFactor: undefined,
  knownAs: undefined,
}

describe('Adding a node', () => {
  it('under another name than its own is refused before the node promises anything', async () => {
    const { adopter, asked } = newAdopter()
    expect(await adopt(adopter, 'localhost:5001')).to.deep.equal(
      failure('NODE_REFUSED', {
        node: 'localhost:5001',
        reason: 'it calls itself 127.0.0.1:5001: add it under that address.',
      }),
    )
    expect(asked).to.deep.equal(['hello'])
  })

  it('that refuses gives the reason once', async () => {
    const reason = 'it holds data.'
    const message = `Node 127.0.0.1:5001 cannot be added: ${reason}`
    const { adopter } = newAdopter({ kind: 'refused', code: 'NODE_REFUSED', message, reason })
    expect(await adopt(adopter, '127.0.0.1:5001')).to.deep.equal(
      failure('NODE_REFUSED', { node: '127.0.0.1:5001', reason }),
    )
  })
})

/** A member that meets an unused node, and what it asks of that. */
function newAdopter(adopted: ControlAnswer = { kind: 'answer', fields: { ...unused.member } }) {
  const asked: unknown[] = []
  const adopter: Adopter = {
    ask: (_address, message) => {
      asked.push(message['op'])
      const isHello = message['op'] === 'hello'
      return Promise.resolve(isHello ? { kind: 'answer', fields: plainIntroduction(unused) } : adopted)
    },
    self,
    cluster: clusterId('00000000-0000-4000-8000-00000000000c'),
    members: [self],
    likeness: { engine: 'ring', preset: 'quorate', replicationFactor: 3 },
  }
  return { adopter, asked }
}
