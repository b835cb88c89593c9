/** The checkers of a run by name, and how to tell from the words of a failure which of them found it. */

export const checkers = {
  'one leader a term': /has two leaders/,
  'a leader has what is committed': /without the committed entry|could still be elected/,
  'a vote is kept': /took back its vote|its term fell/,
  'logs match': /differs from that of another log|differs from another log|its log lacks/,
  'what is committed stays': /committed entry .* elsewhere|committed was|its commit fell|before its commit/,
  'what is committed is on a majority of disks': /on too few disks/,
  'tables are equal at equal indexes': /its table at index|hold different tables/,
  'what was durable comes back': /lost what was durable|refuses its own disk/,
  'a checkpoint stays behind the journal': /checkpoint of what its journal does not hold/,
  'what is acknowledged is committed': /which nobody has committed/,
  'a write is carried out once': /carried out twice/,
  'histories are linearizable': /is not linearizable/,
  'versions follow time and connections': /versions contradict/,
  'a lost leader is replaced in time': /no new leader within/,
  'everybody makes progress': /no progress|no agreement/,
  'assertions of the program': /stopped by itself: \w*Error: must (hold|be present): /,
} as const satisfies Record<string, RegExp>

export type CheckerName = keyof typeof checkers

/** Which checker found this; undefined for what is no violation: a judge that gave up, say. */
export function checkerOf(failure: string): CheckerName | undefined {
  const names = Object.keys(checkers) as CheckerName[]
  return names.find(name => checkers[name].test(failure))
}
