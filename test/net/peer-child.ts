/** A node in a process of its own, to be killed: `peer-child.js <hello as JSON> <peer as JSON>`. */
import { openPeerChannel } from '../../src/net/peer-channel.js'
import type { Peer, PeerHello } from '../../src/net/transport.js'
import { portOf } from './peer-harness.js'

// The test that starts this process writes both.
const hello = JSON.parse(process.argv[2] ?? '') as PeerHello
const peer = JSON.parse(process.argv[3] ?? '') as Peer

const channel = await openPeerChannel({
  hello,
  host: '127.0.0.1',
  port: portOf(hello),
  events: {
    onLine: (from, line) => channel.send(from, [Buffer.from('echo: '), line]),
    onDisconnected: () => process.exit(0),
    onSlow: () => {},
    onRefused: () => {},
    onHello: () => undefined,
  },
})
channel.setPeers([peer])
