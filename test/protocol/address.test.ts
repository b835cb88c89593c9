import { expect } from 'chai'
import fc from 'fast-check'
import { displayAddress, formatAddress, fullAddress, parseAddress } from '../../src/protocol/address.js'

describe('addresses', () => {
  const understood: readonly [typed: string, full: string, shown: string][] = [
    ['192.168.1.2', '192.168.1.2:5000', '192.168.1.2'],
    ['192.168.1.2:5000', '192.168.1.2:5000', '192.168.1.2'],
    ['127.0.0.1:5001', '127.0.0.1:5001', '127.0.0.1:5001'],
    ['localhost', 'localhost:5000', 'localhost'],
    ['Node_1.Example-Net:15000', 'node_1.example-net:15000', 'node_1.example-net:15000'],
    ['[::1]', '[::1]:5000', '[::1]'],
    ['[FE80::1%eth0]:65535', '[fe80::1%eth0]:65535', '[fe80::1%eth0]:65535'],
    ['[1:2:3:4:5:6:7:8]:1', '[1:2:3:4:5:6:7:8]:1', '[1:2:3:4:5:6:7:8]:1'],
    ['[::ffff:10.0.0.1]', '[::ffff:10.0.0.1]:5000', '[::ffff:10.0.0.1]'],
    ['a'.repeat(253), `${'a'.repeat(253)}:5000`, 'a'.repeat(253)],
  ]
  for (const [typed, full, shown] of understood) {
    it(`takes ${typed.slice(0, 30)}`, () => {
      expect(fullAddress(typed)).to.equal(full)
      expect(displayAddress(full)).to.equal(shown)
      expect(fullAddress(shown), 'what is shown can be typed').to.equal(full)
    })
  }

  const refused = [
    '',
    ' ',
    ':5000',
    'host:',
    'host:0',
    'host:65536',
    'host:123456',
    'host:5000:1',
    'host:abc',
    'host:-1',
    'host:5e3',
    'ho st',
    'host\t',
    'host\u0000',
    'host\n',
    '-host',
    'host..net',
    '.host',
    'host/24',
    'höst',
    '::1',
    '[]',
    '[::1',
    '::1]',
    '[::1]5000',
    '[1::2::3]',
    '[1:2:3:4:5:6:7]',
    '[12345::]',
    '[:::]',
    '[::ffff:10.0.0.256]',
    '[host]',
    'a'.repeat(254),
  ]
  for (const typed of refused) {
    it(`refuses ${JSON.stringify(typed.slice(0, 30))}`, () => expect(parseAddress(typed)).to.equal(undefined))
  }

  it('gives back what it formatted', () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.domain().filter(name => !name.includes(':')),
    )
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65535 }), (name, port) => {
        const address = { host: name.toLowerCase(), port }
        expect(parseAddress(formatAddress(address))).to.deep.equal(address)
      }),
    )
  })

  it('does not take long over a hostile name', () => {
    expect(parseAddress(`${'a.'.repeat(20_000)}!`)).to.equal(undefined)
    expect(parseAddress(`[${':'.repeat(20_000)}]`)).to.equal(undefined)
  })
})
