import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { DataDirectoryError, openDataDirectory } from '../../src/storage/data-directory.js'
import { stepsOf } from '../support/directory-steps.js'
import { type Child, startChild } from './child-process.js'

describe('the data directory', () => {
  let base: string
  let path: string
  let children: Child[]
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'quorate-directory-'))
    path = join(base, 'data')
    children = []
  })
  afterEach(async () => {
    for (const child of children) await child.kill()
    rmSync(base, { recursive: true })
  })

  const start = (): Child => {
    const child = startChild('data-directory-process.js', path)
    children.push(child)
    return child
  }
  const refusal = async (): Promise<string> => {
    try {
      const directory = await openDataDirectory(path)
      await directory.close()
    } catch (error) {
      expect(error).to.be.instanceOf(DataDirectoryError)
      return String(error)
    }
    return 'none'
  }
  const sockets = (): string[] => readdirSync(path).filter(name => name.includes('lock'))

  it('is made, with those above it', async () => {
    path = join(base, 'some', 'where', 'else')
    const directory = await openDataDirectory(path)
    expect(existsSync(path)).to.equal(true)
    expect(directory.path).to.equal(path)
    await directory.close()
    expect(readdirSync(path)).to.deep.equal([])
  })

  it('is durable with its name, and so are those above it that were made', async () => {
    const below = join(base, 'durable')
    mkdirSync(below)
    const steps = await stepsOf(below, join(base, 'steps'), async () => {
      const directory = await openDataDirectory(join(below, 'some', 'where'))
      await directory.close()
    })
    const flushed = steps.map(({ call }) => call).filter(call => call.startsWith('fsync'))
    expect(flushed).to.include.members(['fsyncSync ', 'fsyncSync some'])
  })

  it('says when there is a file in its place, or above it', async () => {
    writeFileSync(path, 'a file')
    expect(await refusal()).to.contain(`Cannot use the data directory ${path}: there is a file in its place`)
    path = join(path, 'below')
    expect(await refusal()).to.contain(`Cannot use the data directory ${path}: there is a file in its place`)
  })

  it('says when the file system lets nobody make a directory there', async function () {
    if (!existsSync('/proc/self')) this.skip()
    path = '/proc/data'
    expect(await refusal()).to.contain(
      'Cannot use the data directory /proc/data: no directory can be made there',
    )
    path = '/proc/some/where'
    expect(await refusal()).to.contain('no directory can be made there')
  })

  it('says whose it is when permission is denied', async () => {
    mkdirSync(path, { mode: 0o500 })
    chmodSync(base, 0o755)
    const isRoot = process.geteuid?.() === 0
    try {
      if (isRoot) process.seteuid?.(65534)
      expect(await refusal()).to.match(
        /permission denied.* belongs to user \d+, and this program runs as user \d+/,
      )
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })

  it('is refused to a second one until the first has closed it', async () => {
    const first = await openDataDirectory(path)
    expect(await refusal()).to.contain('another process is using it. Stop that one first')
    await first.close()
    expect(await refusal()).to.equal('none')
  })

  it('is refused to a second process, and given to the next once the first was killed', async () => {
    const first = start()
    expect(await first.line()).to.equal('open')
    expect(await start().line()).to.contain('another process is using it')
    await first.kill()
    expect(sockets(), 'the dead process left its socket').to.have.length(1)
    expect(await start().line()).to.equal('open')
    expect(sockets()).to.have.length(1)
  })

  it('is given to exactly one of several processes that start at once over a dead one', async () => {
    const dead = start()
    await dead.line()
    await dead.kill()
    const lines = await Promise.all([start(), start(), start()].map(child => child.line()))
    expect(lines.filter(line => line === 'open')).to.have.length(1)
    expect(lines.filter(line => line?.includes('another process is using it'))).to.have.length(2)
  })

  it('is given to exactly one of many that ask at the same moment, again and again', async () => {
    for (let round = 0; round < 10; round++) {
      const asked = await Promise.allSettled(Array.from({ length: 8 }, () => openDataDirectory(path)))
      const given = asked.filter(result => result.status === 'fulfilled')
      expect(given).to.have.length(1)
      await given[0]?.value.close()
    }
    expect(sockets()).to.deep.equal([])
  })

  it('is given to one whose rival gives up in the moment it is asked', async () => {
    mkdirSync(path, { recursive: true })
    const rival = join(path, `lock.${'0'.repeat(16)}`)
    const server = createServer(socket => {
      rmSync(rival, { force: true })
      socket.destroy()
      server.close()
    })
    await new Promise<void>(resolve => server.listen(rival, resolve))
    const directory = await openDataDirectory(path)
    await directory.close()
  })

  it('may have a path longer than the address of a socket', async function () {
    if (process.platform !== 'linux') this.skip()
    path = join(base, 'long'.repeat(30), 'long'.repeat(30))
    const first = await openDataDirectory(path)
    expect(await refusal()).to.contain('another process is using it')
    await first.close()
  })

  it('keeps the identity, whole, over restarts', async () => {
    const first = await openDataDirectory(path)
    expect(first.identity.load()).to.equal(undefined)
    first.identity.store({ node: 'one', padding: 'x'.repeat(10_000) })
    first.identity.store({ node: 'two' })
    await first.close()
    const second = await openDataDirectory(path)
    expect(second.identity.load()).to.deep.equal({ node: 'two' })
    expect(second.disk.list()).to.deep.equal(['identity.json'])
    await second.close()
  })

  it('names an identity file that is damaged, and takes one that was only laid out anew', async () => {
    const directory = await openDataDirectory(path)
    directory.identity.store({ node: 'one', term: 5 })
    const file = join(path, 'identity.json')
    const contents = readFileSync(file, 'utf8')
    writeFileSync(file, contents.replaceAll(/\s/g, ''))
    expect(directory.identity.load()).to.deep.equal({ node: 'one', term: 5 })
    for (const damaged of [contents.replace('5', '6'), contents.slice(0, -10), '', 'null', '{}']) {
      writeFileSync(file, damaged)
      expect(() => directory.identity.load()).to.throw('File identity.json in the data directory is damaged')
    }
    await directory.close()
  })
})
