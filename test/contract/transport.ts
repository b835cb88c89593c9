/** What every {@link Transport} must do. */
import { expect } from 'chai'
import { clusterId, type NodeId, nodeId } from '../../src/base/ids.js'
import {
  type Peer,
  type PeerHello,
  peerProtocolVersion,
  type Refusal,
  type RefusalCode,
  type Transport,
  type TransportEvents,
} from '../../src/net/transport.js'

/** Where the transports of one test live. */
export interface TransportWorld {
  /** Addresses at which a node of this world can be reached; different ones at each call. */
  addresses(): Promise<{ readonly address: string; readonly peerAddress: string }>
  /** Starts a node's transport, which listens at the peer address of its `hello`. */
  open(hello: PeerHello, events: TransportEvents): Promise<Transport>
  /** Lets time pass until the condition is true. */
  until(condition: () => boolean): Promise<void>
  /** Ends what the world itself began; the transports are closed by then. */
  close(): Promise<void>
}

/** Something that a transport told. */
export type Told =
  | { readonly kind: 'line'; readonly from: NodeId; readonly text: string }
  | { readonly kind: 'disconnected' | 'slow'; readonly node: NodeId }
  | {
      readonly kind: 'refused'
      readonly node: NodeId
      readonly code: RefusalCode
      readonly detail: Readonly<Record<string, string>>
    }
  | { readonly kind: 'hello'; readonly hello: PeerHello; readonly expected: NodeId }
  | { readonly kind: 'moved'; readonly peer: Peer }

/** A node as far as its transport is concerned: it writes down what it is told. */
export class Station {
  readonly hello: PeerHello
  readonly told: Told[] = []
  /** Decides about those who introduce themselves; takes everybody unless a test says otherwise. */
  decide: (hello: PeerHello, expected: NodeId) => Refusal | undefined = () => undefined
  /** Set while a method of the transport runs, in which nothing may be told. */
  #isInside = false
  #transport: Transport | undefined

  constructor(name: string, addresses: { readonly address: string; readonly peerAddress: string }) {
    this.hello = {
      protocol: peerProtocolVersion,
      cluster: clusterId('the-cluster'),
      node: nodeId(name),
      ...addresses,
    }
  }

  get id(): NodeId {
    return this.hello.node
  }

  get peer(): Peer {
    const { node: id, address, peerAddress } = this.hello
    return { id, address, peerAddress }
  }

  readonly events: TransportEvents = {
    onLine: (from, line) => this.#note({ kind: 'line', from, text: Buffer.from(line).toString('latin1') }),
    onDisconnected: node => this.#note({ kind: 'disconnected', node }),
    onSlow: node => this.#note({ kind: 'slow', node }),
    onRefused: (node, code, detail) => this.#note({ kind: 'refused', node, code, detail }),
    onHello: (hello, expected) => {
      this.#note({ kind: 'hello', hello, expected })
      return this.decide(hello, expected)
    },
    onMoved: peer => this.#note({ kind: 'moved', peer }),
  }

  async open(world: Pick<TransportWorld, 'open'>): Promise<void> {
    this.#transport = await world.open(this.hello, this.events)
  }

  setPeers(...stations: readonly Station[]): void {
    this.#inside(transport => transport.setPeers(stations.map(station => station.peer)))
  }

  /** Sends a line made of the parts, each as text or as bytes. */
  send(to: Station, ...parts: readonly (string | Uint8Array)[]): void {
    const line = parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))
    this.#inside(transport => transport.send(to.id, line))
  }

  /** Closes the transport, if it is open; settles when it is closed. */
  close(): Promise<void> {
    const transport = this.#transport
    this.#transport = undefined
    if (transport === undefined) return Promise.resolve()
    return new Promise(resolve => {
      this.#isInside = true
      transport.close(resolve)
      this.#isInside = false
    })
  }

  /** The lines that came from a station, in order. */
  linesFrom(station: Station): string[] {
    return this.told.flatMap(each => (each.kind === 'line' && each.from === station.id ? [each.text] : []))
  }

  /** What was told of one kind, in order. */
  of<Kind extends Told['kind']>(kind: Kind): Extract<Told, { kind: Kind }>[] {
    return this.told.filter((each): each is Extract<Told, { kind: Kind }> => each.kind === kind)
  }

  #note(told: Told): void {
    if (this.#isInside) throw new Error(`told of ${told.kind} within a call of the transport`)
    this.told.push(told)
  }

  #inside(act: (transport: Transport) => void): void {
    if (this.#transport === undefined) throw new Error('the transport is not open')
    // A decision about a hello may call the transport again, and is itself no call of it.
    const wasInside = this.#isInside
    this.#isInside = true
    act(this.#transport)
    this.#isInside = wasInside
  }
}

export function transportContract(name: string, makeWorld: () => TransportWorld): void {
  describe(`the transport: ${name}`, () => {
    let world: TransportWorld
    let stations: Station[]
    beforeEach(() => {
      world = makeWorld()
      stations = []
    })
    afterEach(async () => {
      await Promise.all(stations.map(station => station.close()))
      await world.close()
    })

    async function station(id: string): Promise<Station> {
      const opened = new Station(id, await world.addresses())
      stations.push(opened)
      await opened.open(world)
      return opened
    }
    async function pair(): Promise<[Station, Station]> {
      return [await station('ada'), await station('ben')]
    }
    /** Says something until it is heard, because there need not be a connection yet. */
    async function heard(from: Station, to: Station, text: string): Promise<void> {
      await world.until(() => {
        if (to.linesFrom(from).includes(text)) return true
        from.send(to, text)
        return false
      })
    }

    it('carries lines in both directions between two that list each other', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ben)
      ben.setPeers(ada)
      await heard(ada, ben, 'hello ben')
      await heard(ben, ada, 'hello ada')
    })

    it('keeps lines whole and in order, whatever parts they were given in', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ben)
      await heard(ada, ben, 'first')
      const long = 'x'.repeat(9000)
      const sent: string[] = []
      for (let number = 0; number < 200; number++) {
        const parts = [`${number}:`, '', number % 7 === 0 ? long : 'short', `:${number}`]
        sent.push(parts.join(''))
        ada.send(ben, ...parts)
      }
      ada.send(ben, 'last')
      await world.until(() => ben.linesFrom(ada).includes('last'))
      expect(ben.linesFrom(ada).filter(line => line !== 'first')).to.deep.equal([...sent, 'last'])
    })

    it('leaves to the receiver the bytes it was given', async () => {
      const [ada, ben] = await pair()
      const kept: Uint8Array[] = []
      const events: TransportEvents = { ...ben.events, onLine: (_from, line) => kept.push(line) }
      await ben.close()
      await ben.open({ open: hello => world.open(hello, events) })
      ada.setPeers(ben)
      await world.until(() => {
        ada.send(ben, 'keep this')
        return kept.length > 0
      })
      for (let number = 0; number < 100; number++) ada.send(ben, `another ${number} ${'y'.repeat(1000)}`)
      ada.send(ben, 'last')
      await world.until(() => Buffer.from(kept.at(-1) ?? []).toString() === 'last')
      expect(Buffer.from(kept[0] ?? []).toString()).to.equal('keep this')
    })

    it('drops what is sent to somebody who is not listed', async () => {
      const [ada, ben] = await pair()
      ada.send(ben, 'too early')
      ada.setPeers(ben)
      await heard(ada, ben, 'now')
      expect(ben.linesFrom(ada)).not.to.include('too early')
    })

    it('tells the one who is called who calls and whom he expects', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ben)
      await heard(ada, ben, 'hello')
      expect(ben.of('hello')[0]).to.deep.equal({ kind: 'hello', hello: ada.hello, expected: ben.id })
    })

    it('tells the one who is refused by whom and why, and tries again', async () => {
      const [ada, ben] = await pair()
      ben.decide = () => ({ code: 'stranger', detail: { cluster: 'mine' } })
      ada.setPeers(ben)
      await world.until(() => ada.of('refused').length > 0)
      expect(ada.of('refused')[0]).to.deep.equal({
        kind: 'refused',
        node: ben.id,
        code: 'stranger',
        detail: { cluster: 'mine' },
      })
      ada.send(ben, 'not for you')
      ben.decide = () => undefined
      await heard(ada, ben, 'for you')
      expect(ben.linesFrom(ada)).not.to.include('not for you')
    })

    it('tells once that a peer is gone, and connects again when it returns', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ben)
      ben.setPeers(ada)
      await heard(ada, ben, 'one')
      await heard(ben, ada, 'two')
      await ben.close()
      await world.until(() => ada.of('disconnected').length > 0)
      await ben.open(world)
      ben.setPeers(ada)
      await heard(ada, ben, 'three')
      await heard(ben, ada, 'four')
      expect(ada.of('disconnected')).to.deep.equal([{ kind: 'disconnected', node: ben.id }])
    })

    it('tells the one whose caller went, though it never called back', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ben)
      await heard(ada, ben, 'hello')
      await ada.close()
      await world.until(() => ben.of('disconnected').length > 0)
    })

    it('ends the connections with a peer that is no longer listed, and does not call that a loss', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ben)
      ben.setPeers(ada)
      await heard(ada, ben, 'one')
      await heard(ben, ada, 'two')
      ben.decide = () => ({ code: 'removed', detail: {} })
      ada.decide = () => ({ code: 'removed', detail: {} })
      ada.setPeers()
      await world.until(() => ben.of('disconnected').length > 0 && ben.of('refused').length > 0)
      ben.send(ada, 'nobody hears this')
      ben.decide = () => undefined
      ada.decide = () => undefined
      ada.setPeers(ben)
      await heard(ben, ada, 'three')
      expect(ada.linesFrom(ben)).not.to.include('nobody hears this')
      expect(ada.of('disconnected')).to.deep.equal([])
    })

    it('hears a stranger whom it took, until it is told whom to list', async () => {
      const [ada, ben] = await pair()
      const cleo = await station('cleo')
      ada.setPeers(ben)
      await heard(ada, ben, 'hello')
      ben.decide = hello => (hello.node === ada.id ? { code: 'stranger', detail: {} } : undefined)
      ben.setPeers(cleo)
      await world.until(() => ada.of('disconnected').length > 0 && ada.of('refused').length > 0)
    })

    it('keeps the connections of peers that stay listed', async () => {
      const [ada, ben] = await pair()
      const cleo = await station('cleo')
      ada.setPeers(ben, cleo)
      await heard(ada, ben, 'one')
      await heard(ada, cleo, 'one')
      ada.setPeers(ben)
      await heard(ada, ben, 'two')
      ada.setPeers(cleo, ben)
      await heard(ada, cleo, 'two')
      expect(ben.of('hello')).to.have.length(1)
      expect(ben.of('disconnected')).to.deep.equal([])
    })

    it('passes over its own identity in the list', async () => {
      const [ada, ben] = await pair()
      ada.setPeers(ada, ben)
      await heard(ada, ben, 'hello')
      ada.send(ada, 'to myself')
      await heard(ada, ben, 'again')
      expect(ada.told).to.deep.equal([])
    })

    it('can be given its list while it decides about a caller', async () => {
      const [ada, ben] = await pair()
      ben.decide = () => {
        ben.setPeers(ada)
        return undefined
      }
      ada.setPeers(ben)
      await heard(ada, ben, 'hello ben')
      await heard(ben, ada, 'hello ada')
    })

    it('tells nothing any more once it was told to close', async () => {
      const [ada, ben] = await pair()
      const cleo = await station('cleo')
      ada.setPeers(ben, cleo)
      ben.setPeers(ada, cleo)
      await heard(ada, ben, 'one')
      await heard(ben, ada, 'two')
      const closed = ada.close()
      const before = ada.told.length
      for (let number = 0; number < 100; number++) ben.send(ada, `late ${number}`)
      await closed
      await heard(ben, cleo, 'still here')
      expect(ada.told).to.have.length(before)
    })

    it('carries on with the others when some are away', async () => {
      const [ada, ben] = await pair()
      const cleo = await station('cleo')
      const dan = await station('dan')
      await cleo.close()
      await dan.close()
      ada.setPeers(cleo, dan, ben)
      await heard(ada, ben, 'hello')
      await cleo.open(world)
      await heard(ada, cleo, 'welcome back')
      expect(ada.of('disconnected')).to.deep.equal([])
    })
  })
}
