/** How long a turn waits for further writes: for as long as looking brings some, and never for nobody. */
import { expect } from 'chai'
import { Gathering } from '../../src/node/gathering.js'

describe('the gathering of writes for a turn', () => {
  let gathering: Gathering

  beforeEach(() => {
    gathering = new Gathering()
  })

  const come = (count: number): void => {
    for (let each = 0; each < count; each++) gathering.noteRequest({ op: 'delete', key: 'a' })
  }
  /** A turn with so many requests. */
  const turn = (count: number): void => {
    come(count)
    gathering.noteTurn()
  }

  it('does not wait when there are none', () => {
    expect(gathering.wantsMore()).to.equal(false)
    turn(5)
    expect(gathering.wantsMore()).to.equal(false)
  })

  it('never lets a lone client wait', () => {
    turn(0)
    for (let each = 0; each < 10; each++) {
      come(1)
      expect(gathering.wantsMore()).to.equal(false)
      gathering.noteTurn()
      // Turns without requests come between: for the answers of other nodes, say.
      gathering.noteTurn()
    }
  })

  it('waits for as long as each look brings further ones', () => {
    come(3)
    expect(gathering.wantsMore()).to.equal(true)
    come(2)
    expect(gathering.wantsMore()).to.equal(true)
    expect(gathering.wantsMore()).to.equal(false)
  })

  it('waits after a single one when there were more in the turn before', () => {
    turn(2)
    come(1)
    expect(gathering.wantsMore()).to.equal(true)
    expect(gathering.wantsMore()).to.equal(false)
  })

  it('does not wait for reads', () => {
    turn(5)
    for (let each = 0; each < 5; each++) gathering.noteRequest({ op: 'get', key: 'a', local: false })
    expect(gathering.wantsMore()).to.equal(false)
  })

  it('begins anew with each turn', () => {
    come(3)
    expect(gathering.wantsMore()).to.equal(true)
    gathering.noteTurn()
    expect(gathering.wantsMore()).to.equal(false)
    come(2)
    expect(gathering.wantsMore()).to.equal(true)
  })

  it('waits for a bounded number of looks, whoever sends however much', () => {
    let looks = 0
    come(1000)
    while (gathering.wantsMore()) {
      come(1000)
      looks++
      expect(looks).to.be.below(100)
    }
    expect(looks).to.equal(10)
  })
})
