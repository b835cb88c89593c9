import { expect } from 'chai'
import { type DialectName, dialects } from '../../bin/bench/dialects.js'

/** Replies, with what each says and, to a read, the value. */
const replies: readonly {
  readonly dialect: DialectName
  readonly reply: string
  readonly outcome: string
  readonly slot?: number
  readonly value?: string
  readonly error?: string
}[] = [
  { dialect: 'text', reply: 'SUCCESS: key1 -> v set.\n', outcome: 'done' },
  { dialect: 'text', reply: 'key1 -> a -> b\r\n', outcome: 'done', value: 'a -> b' },
  { dialect: 'text', reply: 'ERROR: Key not found.\n', outcome: 'absent' },
  {
    dialect: 'text',
    reply: 'ERROR: Server busy. Nothing was done, send it again.\n',
    outcome: 'refused',
    error: 'Server busy. Nothing was done, send it again.',
  },
  { dialect: 'text', reply: 'ERROR: Line too long (limit 1048576 bytes).\n', outcome: 'refused' },
  { dialect: 'text', reply: 'ERROR: Outcome unknown. The write may have happened.\n', outcome: 'unclear' },
  { dialect: 'text', reply: 'ERROR: Nobody knows this one.\n', outcome: 'unclear' },
  { dialect: 'json', reply: '{"id":7,"ok":true,"version":3}\n', outcome: 'done', slot: 7 },
  {
    dialect: 'json',
    reply: '{"id":8,"ok":true,"key":"key1","value":"x y","version":3}\n',
    outcome: 'done',
    slot: 8,
    value: 'x y',
  },
  {
    dialect: 'json',
    reply: '{"id":9,"ok":false,"code":"KEY_NOT_FOUND","definite":true,"message":"Key not found."}\n',
    outcome: 'absent',
    slot: 9,
  },
  {
    dialect: 'json',
    reply: '{"id":1,"ok":false,"code":"BUSY","definite":true,"message":"Server busy."}\n',
    outcome: 'refused',
    slot: 1,
    error: 'Server busy.',
  },
  {
    dialect: 'json',
    reply: '{"id":2,"ok":false,"code":"OUTCOME_UNKNOWN","definite":false,"message":"Who knows."}\n',
    outcome: 'unclear',
    slot: 2,
  },
  { dialect: 'resp', reply: '+OK\r\n', outcome: 'done' },
  { dialect: 'resp', reply: '$5\r\na\r\nbc\r\n', outcome: 'done', value: 'a\r\nbc' },
  { dialect: 'resp', reply: '$0\r\n\r\n', outcome: 'done', value: '' },
  { dialect: 'resp', reply: '$-1\r\n', outcome: 'absent' },
  { dialect: 'resp', reply: '_\r\n', outcome: 'absent' },
  { dialect: 'resp', reply: '-ERR no\r\n', outcome: 'unclear', error: 'ERR no' },
]

describe('the dialects of the load', () => {
  for (const { dialect: name, reply, outcome, slot, value, error } of replies) {
    it(`${name}: read ${JSON.stringify(reply)}, and nothing of its beginnings`, () => {
      const dialect = dialects[name]
      const before = 'x\r\n'
      for (let length = 0; length < reply.length; length++) {
        const part = Buffer.from(before + reply.slice(0, length), 'latin1')
        expect(dialect.reply(part, before.length), `${length} bytes`).to.equal(undefined)
      }
      const bytes = Buffer.from(`${before}${reply}+next`, 'latin1')
      const end = before.length + reply.length
      expect(dialect.reply(bytes, before.length)).to.deep.equal({ end, outcome, slot })
      const whole = bytes.subarray(before.length, end)
      if (value !== undefined) expect(dialect.valueIn(whole)).to.equal(value)
      if (error !== undefined) expect(dialect.errorIn(whole)).to.equal(error)
    })
  }
})
