import { expect } from 'chai'
import { logIndex, term } from '../../src/base/ids.js'
import { createLogger, type LoggerOptions, logClusterEvent } from '../../src/node/logger.js'
import type { ClusterEvent } from '../../src/protocol/request.js'

/** A log that writes into an array of lines. */
function logInto(lines: string[], options: Partial<LoggerOptions> = {}) {
  const destination = { write: (line: string) => void lines.push(line) }
  return createLogger({ level: 'info', node: '10.0.0.1:5000', forPeople: false, destination, ...options })
}

/** Every kind of event once: a kind that is added later does not compile until it is here. */
const events: { readonly [Kind in ClusterEvent['kind']]: ClusterEvent & { readonly kind: Kind } } = {
  leader: { kind: 'leader', address: '10.0.0.2:5000', term: term(3) },
  role: { kind: 'role', role: 'candidate', term: term(4) },
  'member-added': { kind: 'member-added', address: '10.0.0.4:5000' },
  'member-removed': { kind: 'member-removed', address: '10.0.0.4:5001' },
  'member-joining': { kind: 'member-joining', address: '10.0.0.4:5000' },
  'member-leaving': { kind: 'member-leaving', address: '10.0.0.4:5000' },
  'member-evicted': { kind: 'member-evicted', address: '10.0.0.4:5000' },
  crowded: { kind: 'crowded', key: 'cart7', versions: 26 },
  'out-of-sync': { kind: 'out-of-sync', address: '10.0.0.3:5000' },
  'in-sync': { kind: 'in-sync', address: '10.0.0.3:5000' },
  'snapshot-sending': { kind: 'snapshot-sending', address: '10.0.0.3:5000', index: logIndex(7) },
  'snapshot-sent': { kind: 'snapshot-sent', address: '10.0.0.3:5000', index: logIndex(7) },
  'snapshot-receiving': { kind: 'snapshot-receiving', index: logIndex(7) },
  'snapshot-installed': { kind: 'snapshot-installed', index: logIndex(7) },
  compacted: { kind: 'compacted', index: logIndex(7) },
  disk: { kind: 'disk', state: 'full' },
  removed: { kind: 'removed' },
}

describe('the log', () => {
  it('gives machines one JSON object a line, with time, level, node and fields', () => {
    const lines: string[] = []
    logInto(lines).info({ event: 'started', port: 5000 }, 'Started.')
    expect(lines).to.have.length(1)
    expect(lines[0]).to.match(/\n$/)
    const { time, ...rest } = JSON.parse(lines[0] ?? '')
    expect(new Date(time).toISOString()).to.equal(time)
    expect(rest).to.deep.equal({
      level: 'info',
      node: '10.0.0.1:5000',
      event: 'started',
      port: 5000,
      msg: 'Started.',
    })
  })

  it('leaves out what is below its level', () => {
    const lines: string[] = []
    const log = logInto(lines, { level: 'warn' })
    log.info('not this')
    log.warn('this')
    expect(lines.map(line => JSON.parse(line).msg)).to.deep.equal(['this'])
  })

  it('writes an error with its message and stack', () => {
    const lines: string[] = []
    logInto(lines).error({ err: new Error('the disk is gone') }, 'Stopping.')
    const { err } = JSON.parse(lines[0] ?? '')
    expect(err.message).to.equal('the disk is gone')
    expect(err.stack).to.include('logger.test')
  })

  it('gives people a line that reads like one, before the call returns', () => {
    const lines: string[] = []
    const log = logInto(lines, { forPeople: true })
    logClusterEvent(log, events['out-of-sync'])
    expect(lines).to.have.length(1)
    expect(lines[0]).to.include('WARN').and.include('Node 10.0.0.3 out of sync.')
    expect(lines[0]).to.not.include('"time"')
  })

  it('has no colours where it does not write to a terminal', () => {
    const lines: string[] = []
    const isTerminal = process.stderr.isTTY
    process.stderr.isTTY = false
    try {
      logInto(lines, { forPeople: true }).error('Ended.')
    } finally {
      process.stderr.isTTY = isTerminal
    }
    expect(lines.join('')).to.include('Ended.').and.not.include('\u001b')
  })
})

describe('events of the cluster in the log', () => {
  for (const event of Object.values(events)) {
    it(`writes '${event.kind}' as one line with its fields and a sentence`, () => {
      const lines: string[] = []
      logClusterEvent(logInto(lines), event)
      expect(lines).to.have.length(1)
      const { kind, ...fields } = event
      const line = JSON.parse(lines[0] ?? '')
      expect(line).to.include({ event: kind, ...fields })
      expect(line.msg).to.match(/^[A-Z].*\.$/)
    })
  }

  it('warns of what somebody should look at', () => {
    const lines: string[] = []
    const log = logInto(lines, { level: 'warn' })
    for (const event of Object.values(events)) logClusterEvent(log, event)
    logClusterEvent(log, { kind: 'leader', address: undefined, term: term(5) })
    logClusterEvent(log, { kind: 'disk', state: 'ok' })
    expect(lines.map(line => JSON.parse(line)).map(line => `${line.level} ${line.event}`)).to.deep.equal([
      'warn member-evicted',
      'warn crowded',
      'warn out-of-sync',
      'error disk',
      'warn removed',
      'warn leader',
    ])
  })

  it('shows addresses as people know them and keeps them whole in the fields', () => {
    const lines: string[] = []
    logClusterEvent(logInto(lines), events.leader)
    const line = JSON.parse(lines[0] ?? '')
    expect(line.msg).to.equal('Leader is 10.0.0.2 (term 3).')
    expect(line.address).to.equal('10.0.0.2:5000')
  })
})
