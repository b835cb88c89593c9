/** The spare segments of a journal on a disk that becomes full. */
import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import type { Disk, DiskError } from '../../src/storage/disk.js'
import { Spares } from '../../src/storage/journal-spares.js'
import { SimulatedDisk } from '../sim/disk.js'
import { SteppedClock } from './stepped-clock.js'

const segmentBytes = 4096

describe('the spares of a journal', () => {
  it('are not short while a recycled segment is in hand, though no other could be made', () => {
    const clock = new SteppedClock()
    const real = new SimulatedDisk(seededRandom(1), clock)
    const used = real.open('used', true)
    used.write(0, [new Uint8Array(segmentBytes)])
    used.close()
    let endMaking: ((error: DiskError) => void) | undefined
    const disk: Disk = {
      list: () => real.list(),
      read: path => real.read(path),
      open: (path, create) => real.open(path, create),
      rename: (from, to) => real.rename(from, to),
      remove: path => real.remove(path),
      flushDirectory: () => real.flushDirectory(),
      makeZeroFile: (_path, _size, done) => {
        endMaking = done
      },
    }
    const told: string[] = []
    const events = {
      onDiskState: (state: string) => told.push(state),
      onFailure: (error: Error) => told.push(error.message),
    }
    const spares = new Spares(disk, clock, segmentBytes, 1, 0, events)
    spares.recycle('used', segmentBytes)
    endMaking?.(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
    expect(told).to.deep.equal([])
    spares.close()
  })
})
