/** The package as others see it: by its name. */
import { expect } from 'chai'
import * as quorate from 'quorate'

describe('the package', () => {
  it('exports the client, its error, and their tables', () => {
    expect(Object.keys(quorate).sort()).to.deep.equal([
      'Client',
      'QuorateError',
      'clientDefaults',
      'clientErrors',
    ])
  })

  it('has types for what it exports', () => {
    const options: quorate.ClientOptions = { timeoutMs: 1000 }
    const nothing: quorate.Entry | undefined = undefined
    expect([options, nothing]).to.have.length(2)
    expect(new quorate.QuorateError('CLOSED').message).to.equal('The client is closed.')
  })
})
