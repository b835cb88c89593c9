import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { type ConfigSources, type NodeConfig, readConfig } from '../../src/node/config.js'
import { flags } from '../../src/node/flags.js'
import { nearest } from '../../src/node/nearest.js'
import { SettingError } from '../../src/node/settings.js'
import { warehouseProgram } from '../../src/node/warehouse.js'

/** A configuration from words as somebody types them, on an empty data directory. */
function configOf(words: string, sources: Partial<ConfigSources> = {}): NodeConfig {
  const result = readConfig(sourcesOf(words, sources))
  if (result.kind !== 'run') throw new Error(`printed: ${result.text}`)
  return result.config
}

function refusalOf(words: string, sources: Partial<ConfigSources> = {}): SettingError {
  try {
    readConfig(sourcesOf(words, sources))
  } catch (error) {
    if (error instanceof SettingError) return error
    throw error
  }
  throw new Error(`${words} was not refused`)
}

function printed(words: string): string {
  const result = readConfig(sourcesOf(words, {}))
  if (result.kind !== 'print') throw new Error(`${words} does not print`)
  return result.text
}

function sourcesOf(words: string, sources: Partial<ConfigSources>): ConfigSources {
  const argv = words.split(' ').filter(word => word !== '')
  return { argv, env: {}, isFirstStart: () => true, ...sources }
}

/** A file of the given contents at `quorate.json`, and no other. */
function file(contents: unknown): Partial<ConfigSources> {
  const text = typeof contents === 'string' ? contents : JSON.stringify(contents)
  return {
    readFile: path => {
      if (path !== 'quorate.json') throw new Error(`no such file ${path}`)
      return text
    },
  }
}

const newDirectory = { engineOf: () => undefined, replicationFactorOf: () => undefined }

/** What `warehouse` makes of these words. */
function warehouseConfigOf(words: string): NodeConfig {
  const result = readConfig(sourcesOf(words, newDirectory), warehouseProgram)
  if (result.kind === 'print') throw new Error(`${words} prints: ${result.text}`)
  return result.config
}

describe('the configuration of a warehouse', () => {
  it('is that of a node, with another port and a replication factor', () => {
    const { port, address, replicationFactor, preset } = warehouseConfigOf('--engine raft')
    expect({ port, address, replicationFactor, preset }).to.deep.equal({
      port: 8765,
      address: '127.0.0.1:8765',
      replicationFactor: 2,
      preset: 'warehouse',
    })
    expect(warehouseConfigOf('--engine raft --replication-factor 3').replicationFactor).to.equal(3)
  })

  it('runs the ring unless told otherwise, and leaves out the dead there', () => {
    expect(warehouseConfigOf('')).to.include({ engine: 'ring', evict: true, nodeTimeoutMs: 10_000 })
    expect(warehouseConfigOf('--no-evict').evict).to.equal(false)
    expect(warehouseConfigOf('--engine raft')).to.include({ engine: 'raft', evict: false })
  })

  it('takes the engine of its data directory where nobody says otherwise', () => {
    const result = readConfig(sourcesOf('', { engineOf: () => 'raft' }), warehouseProgram)
    expect(result.kind === 'run' && result.config).to.include({ engine: 'raft', evict: false })
  })

  it('takes the replication factor of its data directory where nobody says otherwise', () => {
    const begun = { ...newDirectory, replicationFactorOf: () => 5 }
    const read = (words: string) => readConfig(sourcesOf(words, begun), warehouseProgram)
    expect(read('')).to.have.nested.property('config.replicationFactor', 5)
    expect(read('--replication-factor 2')).to.have.nested.property('config.replicationFactor', 2)
  })

  it('has a help of its own', () => {
    const result = readConfig(sourcesOf('--help', {}), warehouseProgram)
    expect(result.kind === 'print' && result.text).to.match(
      /^One instance .*\n\nUsage: warehouse \[flags\]\n/,
    )
  })
})

describe('configuration', () => {
  it('has a default for everything that a node by itself needs', () => {
    expect(configOf('')).to.deep.equal({
      engine: 'raft',
      preset: 'quorate',
      replicationFactor: undefined,
      evict: false,
      listenHost: '127.0.0.1',
      port: 5000,
      peerPort: 6000,
      address: '127.0.0.1:5000',
      peerAddress: '127.0.0.1:6000',
      dataDirectory: resolve('data/5000'),
      join: [],
      cluster: [],
      forceNewCluster: false,
      electionTimeoutMs: 1000,
      heartbeatIntervalMs: 100,
      requestTimeoutMs: 5000,
      nodeTimeoutMs: 10_000,
      reads: 'linearizable',
      lineBytesMax: 1_048_576,
      connectionsMax: 10_000,
      logLevel: 'info',
      banner: undefined,
    })
  })

  it('has defaults that their own rows accept, each with a reason', () => {
    for (const [name, row] of Object.entries(flags)) {
      expect(row.reason, name).to.match(/\.$/)
      if ('default' in row) expect(row.is.parse(row.default), name).to.not.equal(undefined)
    }
  })

  it('lets peer port and data directory follow the port', () => {
    const config = configOf('--port 5001')
    expect(config.peerPort).to.equal(6001)
    expect(config.dataDirectory).to.equal(resolve('data/5001'))
  })

  it('takes a flag over the environment, and the environment over the file', () => {
    const sources = {
      ...file({ port: 7001, 'peer-port': 8001, 'log-level': 'warn' }),
      env: { QUORATE_PORT: '7002', QUORATE_PEER_PORT: '8002' },
    }
    const config = configOf('--config quorate.json --port 7003', sources)
    expect([config.port, config.peerPort, config.logLevel]).to.deep.equal([7003, 8002, 'warn'])
  })

  it('finds the file by the environment, too', () => {
    const config = configOf('', { ...file({ port: 7001 }), env: { QUORATE_CONFIG: 'quorate.json' } })
    expect(config.port).to.equal(7001)
  })

  it('takes numbers, switches and lists in the file as JSON has them', () => {
    const contents = { port: 5001, evict: false, cluster: ['127.0.0.1:5001', '127.0.0.1'] }
    const config = configOf('--config quorate.json', file(contents))
    expect(config.cluster).to.deep.equal(['127.0.0.1:5001', '127.0.0.1:5000'])
  })

  it('ignores the variables of others and empty ones of its own', () => {
    expect(configOf('', { env: { PATH: '/bin', QUORATE_PORT: '' } }).port).to.equal(5000)
  })

  for (const [words, ms] of [
    ['--election-timeout 700', 700],
    ['--election-timeout 700ms', 700],
    ['--election-timeout 2s', 2000],
    ['--election-timeout=2S', 2000],
  ] as const) {
    it(`reads the time of ${words}`, () => expect(configOf(words).electionTimeoutMs).to.equal(ms))
  }

  it('reads a bare number of a setting in seconds as seconds', () => {
    expect(configOf('--node-timeout 3').nodeTimeoutMs).to.equal(3000)
    expect(configOf('--node-timeout 1500ms').nodeTimeoutMs).to.equal(1500)
  })

  for (const [words, bytes] of [
    ['--max-line 1mb', 1_048_576],
    ['--max-line 64kb', 65_536],
    ['--max-line 64KB', 65_536],
    ['--max-line 2048', 2048],
    ['--max-line 2048b', 2048],
  ] as const) {
    it(`reads the size of ${words}`, () => expect(configOf(words).lineBytesMax).to.equal(bytes))
  }

  describe('addresses', () => {
    it('advertises what it listens on unless told otherwise', () => {
      const config = configOf('--host 192.168.1.1')
      expect([config.address, config.peerAddress]).to.deep.equal(['192.168.1.1:5000', '192.168.1.1:6000'])
    })

    it('gives an advertised host the ports it listens on', () => {
      const config = configOf('--host 0.0.0.0 --port 5001 --advertise db.example.org')
      expect(config.listenHost).to.equal('0.0.0.0')
      expect(config.address).to.equal('db.example.org:5001')
      expect(config.peerAddress).to.equal('db.example.org:6001')
    })

    it('advertises another client port where clients come through one', () => {
      const config = configOf('--advertise 10.0.0.1:15000')
      expect([config.address, config.port]).to.deep.equal(['10.0.0.1:15000', 5000])
      expect(config.peerAddress).to.equal('10.0.0.1:6000')
    })

    it('takes IPv6 addresses, with brackets where a port could follow', () => {
      expect(configOf('--host ::1').address).to.equal('[::1]:5000')
      expect(configOf('--host [::1]').listenHost).to.equal('::1')
      expect(configOf('--host :: --advertise [2001:db8::1]:5002').address).to.equal('[2001:db8::1]:5002')
    })

    for (const host of ['0.0.0.0', '::', '[::]', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0']) {
      it(`wants --advertise where --host ${host} listens on every address`, () => {
        const refusal = refusalOf(`--host ${host}`)
        expect(refusal.problem).to.equal('conflict')
        expect(refusal.message).to.include('--advertise')
        expect(configOf(`--host ${host} --advertise 10.0.0.1`).address).to.equal('10.0.0.1:5000')
      })
    }

    it('does not advertise an address that nobody can reach', () => {
      expect(refusalOf('--advertise 0.0.0.0').setting).to.equal('--advertise')
    })
  })

  describe('what it refuses', () => {
    for (const [words, nearestRight] of [
      ['--prot 5000', '--port'],
      ['--peerport=6000', '--peer-port'],
      ['--datadir x', '--data-dir'],
      ['--election-timout 1', '--election-timeout'],
      ['--loglevel debug', '--log-level'],
      ['-port 5000', '--port'],
      ['--verison', '--version'],
    ] as const) {
      it(`names ${nearestRight} to somebody who typed ${words}`, () => {
        const refusal = refusalOf(words)
        expect(refusal.problem).to.equal('unknown')
        expect(refusal.nearest).to.equal(nearestRight)
        expect(refusal.message).to.match(new RegExp(`^Unknown flag '.+'\\. Did you mean ${nearestRight}\\?$`))
      })
    }

    it('makes no guess at a flag that resembles none', () => {
      const refusal = refusalOf('--xyzzy-plugh')
      expect(refusal.message).to.equal("Unknown flag '--xyzzy-plugh'.")
      expect(refusal.nearest).to.equal(undefined)
    })

    for (const words of ['--toString 5', '--port.x 5', '--no-port', '5001', '-- 5001', '-x', '--port -5']) {
      it(`refuses ${words}`, () => expect(refusalOf(words).problem).to.equal('unknown'))
    }

    it('refuses an environment variable of ours that is none, with the nearest', () => {
      const refusal = refusalOf('', { env: { QUORATE_PEERPORT: '6000' } })
      expect([refusal.problem, refusal.nearest]).to.deep.equal(['unknown', 'QUORATE_PEER_PORT'])
    })

    it('refuses a key of the file that is none, with the nearest', () => {
      const refusal = refusalOf('--config quorate.json', file({ 'perr-port': 6000 }))
      expect([refusal.problem, refusal.nearest]).to.deep.equal(['unknown', 'peer-port'])
      expect(refusal.message).to.include('quorate.json')
    })

    it('refuses to find another file in the file, and questions in file or environment', () => {
      expect(refusalOf('--config quorate.json', file({ config: 'x' })).problem).to.equal('unknown')
      expect(refusalOf('--config quorate.json', file({ help: true })).problem).to.equal('unknown')
      expect(refusalOf('', { env: { QUORATE_VERSION: 'true' } }).problem).to.equal('unknown')
    })

    for (const contents of ['', '[]', 'null', '5', '{"port":', '{"port": {}}', '{"port": null}']) {
      it(`refuses a file that holds ${contents === '' ? 'nothing' : contents}`, () => {
        const refusal = refusalOf('--config quorate.json', file(contents))
        expect(refusal.message).to.include('quorate.json')
        expect(['bad-file', 'bad-value']).to.include(refusal.problem)
      })
    }

    it('refuses a file that is not there', () => {
      expect(refusalOf('--config other.json', file({})).problem).to.equal('bad-file')
    })

    for (const words of [
      '--port 0',
      '--port 65536',
      '--port 5e3',
      '--port',
      '--port=',
      '--host a..b',
      '--host 127.0.0.1:5000',
      '--advertise :5000',
      '--advertise ::1',
      '--join a,,b',
      '--cluster 127.0.0.1,127.0.0.1:5000',
      '--election-timeout 1h',
      '--election-timeout 1.5s',
      '--max-line 1',
      '--max-line 1tb',
      '--max-connections 0',
      '--engine paxos',
      '--log-level loud',
      '--data-dir=',
      '--port 5000 --port 5001',
    ]) {
      it(`refuses ${words}`, () => {
        const refusal = refusalOf(words)
        expect(refusal.problem).to.equal('bad-value')
        expect(refusal.message).to.match(/^--[a-z-]+(: | )/)
      })
    }

    it('names where a bad value came from, and the nearest good one', () => {
      const refusal = refusalOf('', { env: { QUORATE_LOG_LEVEL: 'wran' } })
      expect(refusal.message).to.match(/^QUORATE_LOG_LEVEL: 'wran' is not one of .*\. Did you mean warn\?$/)
    })

    for (const [words, setting] of [
      ['--heartbeat-interval 400', '--election-timeout'],
      ['--port 5000 --peer-port 5000', '--peer-port'],
      ['--port 65000', '--port'],
      ['--join 10.0.0.1 --cluster 127.0.0.1,10.0.0.1', '--join'],
      ['--cluster 10.0.0.1,10.0.0.2', '--cluster'],
      ['--join 127.0.0.1', '--join'],
    ] as const) {
      it(`refuses settings that contradict each other: ${words}`, () => {
        const refusal = refusalOf(words)
        expect([refusal.problem, refusal.setting]).to.deep.equal(['conflict', setting])
      })
    }

    it('accepts an election timeout of exactly three heartbeats', () => {
      expect(configOf('--election-timeout 300 --heartbeat-interval 100').electionTimeoutMs).to.equal(300)
    })

    const ofTheOther = {
      '--replication-factor 2': '--replication-factor belongs to the ring engine, and this node runs raft.',
      '--evict': '--evict belongs to the ring engine, and this node runs raft.',
      '--engine ring --reads lease': '--reads belongs to the raft engine, and this node runs ring.',
      '--engine ring --force-new-cluster':
        '--force-new-cluster belongs to the raft engine, and this node runs ring.',
    }
    for (const [words, message] of Object.entries(ofTheOther)) {
      it(`says of ${words} which engine has that`, () => {
        expect(refusalOf(words).message).to.equal(message)
      })
    }
  })

  describe('the engine', () => {
    it('has settings of its own', () => {
      const config = configOf('--engine ring --replication-factor 5 --evict')
      expect(config).to.include({ engine: 'ring', replicationFactor: 5, evict: true })
    })

    it('is that of the data directory where nobody says otherwise', () => {
      const engineOf = (): 'ring' => 'ring'
      expect(configOf('', { engineOf }).engine).to.equal('ring')
      expect(configOf('--engine raft', { engineOf }).engine).to.equal('raft')
      expect(configOf('--evict', { engineOf }).evict).to.equal(true)
    })

    it('is read from the identity there; one that does not name any is of raft', () => {
      const folder = mkdtempSync(join(tmpdir(), 'quorate-config-'))
      try {
        const engineFor = (engine: string | undefined): string => {
          const standing = { kind: 'joining' }
          const value = { format: 1, node: '5f0e2a3c-7f0b-4a58-9d7e-2f4a4f6f3b11', engine, standing }
          writeFileSync(join(folder, 'identity.json'), JSON.stringify({ checksum: '', value }))
          return configOf(`--data-dir=${folder}`).engine
        }
        expect([engineFor('ring'), engineFor('raft'), engineFor(undefined)]).to.deep.equal([
          'ring',
          'raft',
          'raft',
        ])
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  })

  describe('founding and joining', () => {
    it('finds itself in the list of the cluster by what it advertises', () => {
      const words = '--host 0.0.0.0 --advertise 10.0.0.2 --cluster 10.0.0.1,10.0.0.2,10.0.0.3'
      expect(configOf(words).cluster).to.deep.equal(['10.0.0.1:5000', '10.0.0.2:5000', '10.0.0.3:5000'])
    })

    it('does not care any more once the data directory decides', () => {
      const asked: string[] = []
      const isFirstStart = (directory: string) => {
        asked.push(directory)
        return false
      }
      const config = configOf('--data-dir d --cluster 10.0.0.1 --join 10.0.0.1', { isFirstStart })
      expect(config.cluster).to.deep.equal(['10.0.0.1:5000'])
      expect(asked).to.deep.equal([resolve('d')])
    })

    it('takes a directory that is missing or empty for a first start, unless told otherwise', () => {
      const folder = mkdtempSync(join(tmpdir(), 'quorate-config-'))
      try {
        mkdirSync(join(folder, 'empty'))
        mkdirSync(join(folder, 'used'))
        writeFileSync(join(folder, 'used', 'identity'), '')
        const read = (directory: string) => () =>
          readConfig({ argv: ['--cluster=10.0.0.1', `--data-dir=${join(folder, directory)}`], env: {} })
        expect(read('missing')).to.throw(SettingError, 'does not contain this node')
        expect(read('empty')).to.throw(SettingError, 'does not contain this node')
        expect(read('used')).to.not.throw()
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  })

  describe('help and version', () => {
    it('shows every flag with its default, however it is asked and whatever else is wrong', () => {
      const help = printed('--help')
      for (const name of Object.keys(flags)) expect(help).to.include(`  --${name} `.trimEnd())
      expect(help)
        .to.include('(default 127.0.0.1)')
        .and.include('(default 1000ms)')
        .and.include('(default 1mb)')
      expect(printed('--prot 5 -h')).to.equal(help)
    })

    it('keeps the help within the width of a terminal', () => {
      for (const line of printed('--help').split('\n')) expect(line.length, line).to.be.at.most(110)
    })

    it('shows the version of the package', () => {
      expect(printed('--version')).to.match(/^\d+\.\d+\.\d+/)
    })
  })
})

describe('the nearest right name', () => {
  it('counts letters put in, left out, replaced and swapped', () => {
    expect(nearest('prt', ['port', 'host'])).to.equal('port')
    expect(nearest('ports', ['port', 'host'])).to.equal('port')
    expect(nearest('pork', ['port', 'host'])).to.equal('port')
    expect(nearest('ohst', ['port', 'host'])).to.equal('host')
  })

  it('does not mind upper and lower case', () => {
    expect(nearest('PORT', ['port'])).to.equal('port')
  })

  it('gives nothing rather than something far away', () => {
    expect(nearest('banana', ['port', 'host'])).to.equal(undefined)
    expect(nearest('anything', [])).to.equal(undefined)
  })
})
