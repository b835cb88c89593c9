/** A table whose names are looked up as bytes, in either case, without making strings of them. */

/** A row and its name. */
export interface NamedRow<Row> {
  readonly name: string
  readonly row: Row
}

/** Names are ASCII, in lower case. Few of them share length and first letter, and only those are compared. */
export class NameTable<Row> {
  readonly #candidates: (readonly NamedRow<Row>[] | undefined)[] = []

  constructor(rows: Iterable<readonly [name: string, row: Row]>) {
    for (const [name, row] of rows) {
      const place = placeOf(name.length, name.charCodeAt(0))
      this.#candidates[place] = [...(this.#candidates[place] ?? []), { name, row }]
    }
  }

  /** The row whose name stands in `bytes` from `start` to `end`, in either case; undefined if there is none. */
  find(bytes: Uint8Array, start = 0, end = bytes.length): NamedRow<Row> | undefined {
    const candidates = this.#candidates[placeOf(end - start, bytes[start] ?? 0)]
    if (candidates === undefined) return undefined
    for (const candidate of candidates) if (isNameAt(bytes, start, candidate.name)) return candidate
    return undefined
  }
}

/** The same for a letter in either case. */
function placeOf(length: number, first: number): number {
  return length * 32 + (first & 0x1f)
}

/** Whether a name stands here, in either case. */
function isNameAt(bytes: Uint8Array, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at] ?? 0
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
    if (lower !== name.charCodeAt(at)) return false
  }
  return true
}
