/** Keys that lie where a scenario needs them. */
import { pathOf, rangeOf } from '../../src/base/placement.js'

/** The first of many keys that is wanted; fails where none of them is. */
export function keyThat(isWanted: (key: string, range: number) => boolean): string {
  for (let number = 1; number < 100_000; number++) {
    const key = `key-${number}`
    if (isWanted(key, rangeOf(pathOf(key)))) return key
  }
  throw new Error('no such key')
}
