/** What every {@link Disk} must do. */
import { expect } from 'chai'
import type { Disk, DiskError } from '../../src/storage/disk.js'

/** How the suite gets at a body of the port. */
export interface DiskUnderTest {
  readonly disk: Disk
  /** Waits for what was asked for asynchronously, and ends what the test began. */
  settle(): void | Promise<void>
  close(): void
}

export function diskContract(open: () => DiskUnderTest): void {
  let under: DiskUnderTest
  let disk: Disk
  beforeEach(() => {
    under = open()
    disk = under.disk
  })
  afterEach(() => under.close())

  const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()
  const store = (path: string, contents: string): void => {
    const file = disk.open(path, true)
    file.write(0, [Buffer.from(contents)])
    file.flushSync()
    file.close()
  }
  const codeOf = (act: () => unknown): unknown => {
    try {
      act()
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error
    }
    return undefined
  }
  const makeZeroFile = async (path: string, size: number): Promise<DiskError | undefined> => {
    const results: (DiskError | undefined)[] = []
    disk.makeZeroFile(path, size, error => results.push(error))
    expect(results, 'done is not called before the call returns').to.have.length(0)
    for (let round = 0; round < 1000 && results.length === 0; round++) await under.settle()
    expect(results).to.have.length(1)
    return results[0]
  }

  it('lists its files by name', () => {
    store('b', '2')
    store('a', '1')
    store('c', '3')
    expect(disk.list()).to.deep.equal(['a', 'b', 'c'])
  })

  it('gives back what was written, whole and in parts', () => {
    const file = disk.open('file', true)
    file.write(0, [Buffer.from('one '), Buffer.from(''), Buffer.from('two '), Buffer.from('three')])
    file.write(4, [Buffer.from('TWO')])
    expect(file.size()).to.equal(13)
    expect(text(file.read(4, 3))).to.equal('TWO')
    expect(text(file.read(8, 100))).to.equal('three')
    expect(text(file.read(100, 5))).to.equal('')
    expect(text(disk.read('file'))).to.equal('one TWO three')
    file.close()
  })

  it('writes many small and large parts one after the other', () => {
    const parts = Array.from({ length: 3000 }, (_, index) => Buffer.alloc(index % 97 === 0 ? 5000 : 7, index))
    const file = disk.open('file', true)
    file.write(10, parts)
    file.close()
    const expected = Buffer.concat([Buffer.alloc(10), ...parts])
    expect(expected.equals(disk.read('file') ?? Buffer.alloc(0))).to.equal(true)
  })

  it('fills with zeros between the end of a file and a write behind it', () => {
    const file = disk.open('file', true)
    file.write(5, [Buffer.from('x')])
    expect([...(disk.read('file') ?? [])]).to.deep.equal([0, 0, 0, 0, 0, 120])
    file.close()
  })

  it('says ENOENT when a file that is not there is opened or renamed, and reads it as undefined', () => {
    expect(codeOf(() => disk.open('nothing', false))).to.equal('ENOENT')
    expect(codeOf(() => disk.rename('nothing', 'something'))).to.equal('ENOENT')
    expect(disk.read('nothing')).to.equal(undefined)
  })

  it('removes files, and does not mind one that is not there', () => {
    store('file', 'contents')
    disk.remove('file')
    disk.remove('file')
    expect(disk.list()).to.deep.equal([])
  })

  it('puts a renamed file in the place of another', () => {
    store('old', 'old')
    store('new', 'new')
    disk.rename('new', 'old')
    disk.flushDirectory()
    expect(disk.list()).to.deep.equal(['old'])
    expect(text(disk.read('old'))).to.equal('new')
  })

  it('keeps writing to an open file under its new name', () => {
    const file = disk.open('before', true)
    disk.rename('before', 'after')
    file.write(0, [Buffer.from('contents')])
    file.close()
    expect(text(disk.read('after'))).to.equal('contents')
  })

  it('cuts a file, and does not bring back what was cut', () => {
    const file = disk.open('file', true)
    file.write(0, [Buffer.from('0123456789')])
    file.truncate(4)
    expect(text(disk.read('file'))).to.equal('0123')
    file.truncate(6)
    expect([...file.read(4, 2)]).to.deep.equal([0, 0])
    file.close()
  })

  it('tells of an asynchronous flush after the call has returned', async () => {
    const file = disk.open('file', true)
    file.write(0, [Buffer.from('contents')])
    let told: unknown = 'nothing'
    file.flush(error => {
      told = error
    })
    expect(told).to.equal('nothing')
    for (let round = 0; round < 1000 && told === 'nothing'; round++) await under.settle()
    expect(told).to.equal(undefined)
    file.close()
  })

  it('makes files full of zeros, of a size that is no multiple of anything', async () => {
    expect(await makeZeroFile('zeros', 2_500_001)).to.equal(undefined)
    const bytes = disk.read('zeros')
    expect(bytes?.length).to.equal(2_500_001)
    expect(bytes?.every(byte => byte === 0)).to.equal(true)
  })
}
