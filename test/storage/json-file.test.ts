import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import { JsonFile } from '../../src/storage/json-file.js'
import { PowerCut, SimulatedDisk } from '../sim/disk.js'
import { losses } from '../sim/loss.js'
import { SteppedClock } from './stepped-clock.js'

/** Some of it lies across several sectors, and each is of another length than the one before. */
const contents = (number: number): unknown => ({ number, padding: 'x'.repeat(300 * ((number * 7) % 5)) })
const short = 'short'
/** One store is so many operations of the disk. */
const storeOperations = 6

describe('a small file that is replaced whole', () => {
  it('is the old one or the new one after a power cut at any operation, and the new one once stored', () => {
    let cuts = 0
    for (const loss of losses) {
      for (let at = 1; at <= 4 * storeOperations; at++) {
        for (let second = 1; second <= storeOperations + 1; second++) {
          const disk = new SimulatedDisk(seededRandom(at * 100 + second), new SteppedClock())
          const file = new JsonFile(disk, 'file.json')
          disk.setLoss(loss)
          const where = `cut at ${at}, then at ${second}, lost: ${loss}`
          let stored = 0
          disk.powerCutAt(at)
          const wasCut = untilCut(() => {
            for (; stored < 4; stored++) file.store(contents(stored + 1))
          })
          expect(wasCut, where).to.equal(true)
          cuts++
          disk.crash()
          const found = file.load()
          const before = stored === 0 ? undefined : contents(stored)
          expect([before, contents(stored + 1)], where).to.deep.include(found)

          // What the first cut left behind is longer than what comes now.
          disk.setLoss('everything')
          disk.powerCutAt(second)
          if (untilCut(() => file.store(short))) {
            disk.crash()
            expect([found, short], where).to.deep.include(file.load())
          } else {
            disk.crash()
            expect(file.load(), where).to.equal(short)
          }
        }
      }
    }
    console.log(`      ${cuts} pairs of cuts`)
  })
})

/** Returns whether the power went. */
function untilCut(act: () => void): boolean {
  try {
    act()
    return false
  } catch (error) {
    if (error instanceof PowerCut) return true
    throw error
  }
}
