/** Where the words of a line begin and end: between them are spaces and tabs. Positions are of bytes. */
const space = 0x20
const tab = 0x09

/** The position of the next word, or the end of the line. */
export function skipBlanks(line: Buffer, from: number): number {
  let position = from
  while (position < line.length && (line[position] === space || line[position] === tab)) position++
  return position
}

/** The position behind the word that begins here. */
export function endOfWord(line: Buffer, from: number): number {
  let position = from
  while (position < line.length && line[position] !== space && line[position] !== tab) position++
  return position
}
