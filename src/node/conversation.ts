/** Asking another node something over its client port, as formation, joining and adding need it. */
import { type Introduction, protocolVersion, readIntroduction } from './control.js'

/** What came of asking. */
export type Told =
  | { readonly kind: 'answer'; readonly fields: Readonly<Record<string, unknown>> }
  /** Nobody there, or nobody who answers; it may be there later. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** It understood and said no. `code` is of the error table. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }

/** Sends one message to the node at a client address and waits for the answer. */
export type Ask = (address: string, message: Readonly<Record<string, unknown>>) => Promise<Told>

/** What is known of the node at an address. */
export type Met =
  | { readonly kind: 'met'; readonly introduction: Introduction }
  | { readonly kind: 'unreachable'; readonly reason: string }

/** Asks the node at `address` who it is, telling it whom `asker` is. */
export async function meet(ask: Ask, address: string, asker: string): Promise<Met> {
  const told = await ask(address, { op: 'hello', asker })
  if (told.kind === 'refused') return { kind: 'unreachable', reason: told.message }
  if (told.kind === 'unreachable') return told
  const introduction = readIntroduction(told.fields)
  if (introduction === undefined) {
    return { kind: 'unreachable', reason: `what answers at ${address} is not a Quorate node.` }
  }
  if (introduction.protocol !== protocolVersion) {
    const versions = `${introduction.protocol}, this node speaks ${protocolVersion}`
    return { kind: 'unreachable', reason: `it speaks version ${versions} of the peer protocol.` }
  }
  return { kind: 'met', introduction }
}
