/** Asking another node who it is, as formation, joining and adding need it. */
import type { ControlAnswer } from '../net/control-client.js'
import { type Introduction, readIntroduction } from './control.js'

/** Sends one message to the node at a client address and waits for the answer; never fails. */
export type Ask = (address: string, message: Readonly<Record<string, unknown>>) => Promise<ControlAnswer>

/** What is known of the node at an address. A `reason` is a sentence, to be put after a colon. */
export type Met =
  | { readonly kind: 'met'; readonly introduction: Introduction }
  | { readonly kind: 'unreachable'; readonly reason: string }

/** Asks the node at `address` who it is, and whom it knows at the address of `asker`. */
export async function meet(ask: Ask, address: string, asker: string): Promise<Met> {
  const told = await ask(address, { op: 'hello', asker })
  if (told.kind !== 'answer') return { kind: 'unreachable', reason: whyNoAnswer(told) }
  const introduction = readIntroduction(told.fields)
  if (introduction !== undefined) return { kind: 'met', introduction }
  return { kind: 'unreachable', reason: `what answers at ${address} is not a Quorate node.` }
}

/** What to tell people of a question that was not answered. */
export function whyNoAnswer(told: Exclude<ControlAnswer, { kind: 'answer' }>): string {
  return told.kind === 'refused' ? told.message : told.reason
}
