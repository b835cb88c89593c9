import { expect } from 'chai'
import { type NodeId, nodeId, requestId } from '../../src/base/ids.js'
import type { Response } from '../../src/protocol/request.js'
import { KeyPages } from '../../src/replica/key-pages.js'
import type { LeaderlessMessage } from '../../src/replica/leaderless-messages.js'
import type { MemberList, RingMember, RingStatus } from '../../src/ring/types.js'

/** Nodes that pass each other their pages at once; each holds its own keys. */
class Ring {
  readonly answers: Response[] = []
  readonly #nodes = new Map<NodeId, KeyPages>()
  readonly unreachable = new Set<string>()
  /** Who does not answer, though nobody knows. */
  readonly mute = new Set<string>()
  readonly #members: RingMember[]
  readonly #copies: number

  constructor(held: Readonly<Record<string, readonly string[]>>, copies: number) {
    this.#copies = copies
    this.#members = Object.keys(held).map((name, at) => ({
      id: nodeId(name),
      address: name,
      peerAddress: name,
      standing: 'member',
      joined: at + 1,
      generation: 1,
    }))
    for (const [name, keys] of Object.entries(held)) {
      const page = (prefix: string, after: string, limit: number) =>
        keys.filter(key => key.startsWith(prefix) && key > after).slice(0, limit)
      const send = (to: NodeId, message: LeaderlessMessage) => this.#carry(nodeId(name), to, message)
      const answer = (_id: unknown, response: Response) => void this.answers.push(response)
      this.#nodes.set(nodeId(name), new KeyPages(this.#view, page, nodeId(name), send, answer))
    }
  }

  ask(prefix: string, after: string, limit: number): Response | undefined {
    const request = { op: 'keys', prefix, after, limit } as const
    this.first.add(requestId(1), request, 10)
    return this.answers.pop()
  }

  get first(): KeyPages {
    const [first] = this.#nodes.values()
    if (first === undefined) throw new Error('a ring has nodes')
    return first
  }

  get #view() {
    const [members, copies, { unreachable }] = [this.#members, this.#copies, this]
    return {
      list: { copies, members } satisfies MemberList,
      status: (): RingStatus => ({
        copies,
        members: members.map(member => ({
          member,
          reachable: !unreachable.has(member.id),
          dead: false,
          silentTicks: 0,
          hints: 0,
        })),
        records: 0,
        hints: 0,
        hintsMax: 0,
        moving: undefined,
        tombstones: 0,
        counting: false,
      }),
    }
  }

  #carry(from: NodeId, to: NodeId, message: LeaderlessMessage): void {
    if (this.mute.has(to)) return
    const node = this.#nodes.get(to)
    if (message.kind === 'desk-keys') node?.serve(from, message)
    else if (message.kind === 'desk-keys-found') node?.take(from, message)
  }
}

describe('pages of keys of a ring', () => {
  it('hold each key once, in order', () => {
    const ring = new Ring({ a: ['k1', 'k3'], b: ['k1', 'k2'], c: ['k2', 'k3', 'x'] }, 2)
    expect(ring.ask('', '', 10)).to.deep.equal({ kind: 'keys', keys: ['k1', 'k2', 'k3', 'x'], more: false })
    expect(ring.ask('k', 'k1', 1)).to.deep.equal({ kind: 'keys', keys: ['k2'], more: true })
  })

  it('give every key once to who reads page after page, however the keys lie', () => {
    const held = { a: ['b', 'c', 'd', 'e'], b: ['a', 'f', 'g'], c: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] }
    const ring = new Ring(held, 2)
    for (const limit of [1, 2, 3, 5]) {
      const all: string[] = []
      for (;;) {
        const page = ring.ask('', all.at(-1) ?? '', limit)
        if (page?.kind !== 'keys') throw new Error('a page was asked for')
        all.push(...page.keys)
        if (!page.more) break
      }
      expect(all, `pages of ${limit}`).to.deep.equal([...held.c])
    }
  })

  it('may lack so many nodes that each key still has an owner among the others, and no more', () => {
    const ring = new Ring({ a: ['k1'], b: ['k1'], c: ['k1'], d: ['k1'] }, 2)
    ring.unreachable.add('d')
    expect(ring.ask('', '', 10)).to.deep.equal({ kind: 'keys', keys: ['k1'], more: false })
    ring.unreachable.add('c')
    expect(ring.ask('', '', 10)).to.deep.include({
      code: 'QUORUM_UNREACHABLE',
      details: { reached: 2, quorum: 3 },
    })
  })

  it('do not wait for ever for who is mute', () => {
    const ring = new Ring({ a: ['k1'], b: ['k2'], c: ['k1', 'k2'] }, 2)
    ring.mute.add('c')
    expect(ring.ask('', '', 10)).to.equal(undefined)
    ring.first.expire(9)
    expect(ring.answers).to.deep.equal([])
    ring.first.expire(10)
    expect(ring.answers).to.deep.equal([{ kind: 'keys', keys: ['k1', 'k2'], more: false }])
  })
})
