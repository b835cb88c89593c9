import { expect } from 'chai'
import { seededRandom } from '../../src/base/random.js'
import { JsonFile } from '../../src/storage/json-file.js'
import { PowerCut, SimulatedDisk } from '../sim/disk.js'
import { losses } from '../sim/loss.js'
import { SteppedClock } from './stepped-clock.js'

/** Long enough to lie across several sectors, and each of another length than the one before. */
const contents = (number: number): unknown => ({ number, padding: 'x'.repeat(300 * ((number * 7) % 5)) })

describe('a small file that is replaced whole', () => {
  it('is the old one or the new one after a power cut at any operation, and the new one once stored', () => {
    let cuts = 0
    for (const loss of losses) {
      for (let at = 1; ; at++) {
        const disk = new SimulatedDisk(seededRandom(at), new SteppedClock())
        disk.setLoss(loss)
        let stored = 0
        const storeUntilCut = (from: number, to: number): boolean => {
          try {
            for (let number = from; number <= to; number++) {
              new JsonFile(disk, 'file.json').store(contents(number))
              stored = number
            }
            return false
          } catch (error) {
            if (!(error instanceof PowerCut)) throw error
            return true
          }
        }
        /** What is found must be what was stored last, or what was under way. */
        const check = (): void => {
          const found = new JsonFile(disk, 'file.json').load()
          const before = stored === 0 ? undefined : contents(stored)
          expect([before, contents(stored + 1)], `cut at ${at}, lost: ${loss}`).to.deep.include(found)
        }
        disk.powerCutAt(at)
        const wasCut = storeUntilCut(1, 4)
        disk.crash()
        check()
        // What an earlier crash left does not stand in the way of the next store, nor of its crash.
        disk.powerCutAt(1 + (at % 6))
        storeUntilCut(stored + 1, stored + 1)
        disk.setLoss('everything')
        disk.crash()
        check()
        expect(storeUntilCut(stored + 1, stored + 1)).to.equal(false)
        disk.crash()
        expect(new JsonFile(disk, 'file.json').load()).to.deep.equal(contents(stored))
        if (!wasCut) break
        cuts++
      }
    }
    console.log(`      ${cuts} cuts`)
    expect(cuts).to.be.greaterThan(100)
  })
})
