/** Every message that consensus replicas exchange, made up by chance. */

import fc from 'fast-check'
import { type LogIndex, logIndex, type NodeId, nodeId, type Term, term } from '../../src/base/ids.js'
import type { ReadOperation, Reply } from '../../src/base/operation.js'
import { encodeCommand } from '../../src/kv/command.js'
import { encodeRows } from '../../src/kv/rows.js'
import type { Result } from '../../src/kv/sessions.js'
import { type ErrorCode, errors } from '../../src/protocol/errors.js'
import type { Request, Response } from '../../src/protocol/request.js'
import { encodeConfiguration, firstConfiguration } from '../../src/raft/configuration.js'
import type { AppendReply, Entry, MemberHealth } from '../../src/raft/types.js'
import type { ConsensusMessage, ForwardedWrite } from '../../src/replica/messages.js'
import type { ReadRequest } from '../../src/replica/reader.js'

const texts = fc.string({ unit: 'grapheme' })
const bytes = fc.oneof(
  fc.uint8Array().map(array => Buffer.from(array)),
  texts.map(text => Buffer.from(text)),
)
const counts = fc.maxSafeNat()
const terms: fc.Arbitrary<Term> = fc.nat().map(term)
const indexes: fc.Arbitrary<LogIndex> = fc.nat().map(logIndex)
const nodeIds: fc.Arbitrary<NodeId> = fc.uuid().map(nodeId)
const addresses = fc.domain().map(host => `${host}:5000`)
const members = fc.record({ id: nodeIds, address: addresses, peerAddress: addresses })
const sessions = fc.stringMatching(/^[\w.-]{1,100}$/)

const writes: fc.Arbitrary<Uint8Array> = fc
  .record({ op: fc.constant('set' as const), key: texts, value: bytes })
  .map(encodeCommand)
const configurations = fc.array(members).map(all => encodeConfiguration(firstConfiguration(all, 'lease')))
const entryContents: fc.Arbitrary<Pick<Entry, 'kind' | 'data'>> = fc.oneof(
  fc.record({ kind: fc.constant('command' as const), data: writes }),
  fc.record({ kind: fc.constant('configuration' as const), data: configurations }),
  fc.constant({ kind: 'no-op' as const, data: new Uint8Array(0) }),
)
const health: fc.Arbitrary<MemberHealth> = fc.record({
  id: nodeIds,
  heard: fc.boolean(),
  inSync: fc.boolean(),
  lastIndex: indexes,
  appliedIndex: indexes,
  lag: counts,
  silentTicks: counts,
  diskFull: fc.boolean(),
})

const appends: fc.Arbitrary<ConsensusMessage> = fc
  .record({
    term: terms,
    previousIndex: indexes,
    previousTerm: fc.nat(1000).map(term),
    commit: indexes,
    round: counts,
    health: fc.option(fc.array(health), { nil: undefined }),
    contents: fc.array(fc.tuple(fc.nat(3), entryContents)),
  })
  .map(({ contents, ...head }) => {
    let entryTerm: number = head.previousTerm
    const entries = contents.map(([step, content], position): Entry => {
      entryTerm += step
      return { index: logIndex(head.previousIndex + 1 + position), term: term(entryTerm), ...content }
    })
    return { kind: 'append', ...head, entries }
  })

const outcomes: fc.Arbitrary<AppendReply['outcome']> = fc.oneof(
  fc.record({ kind: fc.constant('matched' as const), matched: indexes }),
  fc.record({
    kind: fc.constant('mismatch' as const),
    previousIndex: indexes,
    hintIndex: indexes,
    hintTerm: terms,
  }),
  fc.record({ kind: fc.constant('stale' as const) }),
)

const chunks: fc.Arbitrary<ConsensusMessage> = fc.record({
  kind: fc.constant('snapshot-chunk' as const),
  term: terms,
  index: indexes,
  indexTerm: terms,
  sequence: counts,
  data: fc
    .array(fc.tuple(texts, fc.record({ value: bytes, version: counts, expiresAt: expiry() })))
    .map(encodeRows),
  meta: fc.option(
    fc.json().map(text => Buffer.from(text)),
    { nil: undefined },
  ),
})

/** Text without the end of a line. */
const lines = texts.map(text => text.replace(/[\r\n]/g, ' '))

const replies: fc.Arbitrary<Reply[]> = fc.array(
  fc.oneof(
    fc.constant<Reply>({ kind: 'nil' }),
    fc.record({ kind: fc.constantFrom('status' as const, 'error' as const), text: lines }),
    fc.record({
      kind: fc.constant('integer' as const),
      value: fc.oneof(fc.integer(), fc.constant(2n ** 60n)),
    }),
    fc.record({ kind: fc.constant('bytes' as const), value: bytes }),
  ),
)

const results: fc.Arbitrary<Result> = fc.oneof(
  fc.record({ kind: fc.constant('replies' as const), replies }),
  fc.record({ kind: fc.constant('written' as const), version: counts }),
  fc.record({ kind: fc.constant('written' as const), version: counts, existed: fc.boolean() }),
  fc.record({ kind: fc.constant('refused' as const), code: fc.constantFrom('KEY_EXISTS', 'KEY_NOT_FOUND') }),
  fc.record({
    kind: fc.constant('refused' as const),
    code: fc.constant('VERSION_MISMATCH' as const),
    current: counts,
  }),
)

const forwardedWrites: fc.Arbitrary<ForwardedWrite[]> = fc.array(
  fc.record({ counter: counts, command: writes }),
  {
    minLength: 1,
  },
)

const redisReads: fc.Arbitrary<ReadOperation> = fc.oneof(
  fc.record({ op: fc.constantFrom('strlen' as const, 'type' as const), key: texts }),
  fc.record({ op: fc.constantFrom('exists' as const, 'mget' as const), keys: fc.array(texts) }),
  fc.record({ op: fc.constant('getrange' as const), key: texts, start: fc.integer(), end: fc.integer() }),
)

const reads: fc.Arbitrary<ReadRequest> = fc.oneof(
  fc.record({ op: fc.constant('get' as const), key: texts, local: fc.constant(false) }),
  fc.record({ op: fc.constant('keys' as const), prefix: texts, after: texts, limit: counts }),
  fc.record({
    op: fc.constant('redis-read' as const),
    operations: fc.array(
      fc.oneof(fc.constantFrom<ReadOperation>({ op: 'dbsize' }, { op: 'expiring' }), redisReads),
    ),
    local: fc.constant(false),
  }),
)

const administration: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ op: fc.constantFrom('add-member', 'move-member'), member: members }),
  fc.record({ op: fc.constantFrom('remove-member', 'transfer-leader'), address: addresses }),
)

const codes = Object.keys(errors) as ErrorCode[]
const responses: fc.Arbitrary<Response> = fc.oneof(
  fc.record({ kind: fc.constant('value' as const), value: bytes, version: counts }),
  fc.record({ kind: fc.constant('keys' as const), keys: fc.array(texts), more: fc.boolean() }),
  fc.record({ kind: fc.constant('redis' as const), replies }),
  fc.record({ kind: fc.constant('done' as const) }),
  fc.record({ kind: fc.constant('error' as const), code: fc.constantFrom(...codes) }),
  fc.record({
    kind: fc.constant('error' as const),
    code: fc.constantFrom(...codes),
    details: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(texts, counts)),
  }),
)

export const messages: fc.Arbitrary<ConsensusMessage> = fc.oneof(
  appends,
  fc.record({
    kind: fc.constant('append-reply' as const),
    term: terms,
    round: counts,
    outcome: outcomes,
    lastIndex: indexes,
    appliedIndex: indexes,
    diskFull: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('pre-vote-request' as const),
    term: terms,
    lastIndex: indexes,
    lastTerm: terms,
  }),
  fc.record({
    kind: fc.constant('vote-request' as const),
    term: terms,
    lastIndex: indexes,
    lastTerm: terms,
    transfer: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('pre-vote-reply', 'vote-reply'), term: terms, granted: fc.boolean() }),
  fc.record({ kind: fc.constant('timeout-now' as const), term: terms }),
  chunks,
  fc.record({
    kind: fc.constant('snapshot-reply' as const),
    term: terms,
    index: indexes,
    next: counts,
    installed: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('forward' as const),
    term: terms,
    sequence: counts,
    session: sessions,
    bornMs: counts,
    lowest: counts,
    writes: forwardedWrites,
  }),
  fc.record({
    kind: fc.constant('forward-reply' as const),
    session: sessions,
    results: fc.array(fc.tuple(counts, results)),
    copies: counts,
  }),
  fc.record({
    kind: fc.constant('forward-refused' as const),
    term: terms,
    sequence: counts,
    session: sessions,
    next: counts,
    reason: fc.constantFrom('gap', 'busy', 'disk-full', 'expired'),
    clockMs: counts,
  }),
  fc.record({ kind: fc.constant('query' as const), id: counts, request: administration }),
  fc.record({ kind: fc.constant('query-reply' as const), id: counts, response: responses }),
  fc.record({
    kind: fc.constant('read-query' as const),
    id: counts,
    first: counts,
    requests: fc.option(fc.array(reads, { minLength: 1 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('read-index' as const), id: counts, index: indexes, nowMs: counts }),
  fc.record({
    kind: fc.constant('read-reply' as const),
    id: counts,
    first: counts,
    index: indexes,
    responses: fc.array(responses),
  }),
  fc.record({ kind: fc.constant('removed' as const) }),
)

function expiry(): fc.Arbitrary<number | undefined> {
  return fc.option(counts, { nil: undefined })
}
