/** Why another program could not be reached, in words, by what the system calls it. */
const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name of the host could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ETIMEDOUT: 'the host does not answer',
}

/** What the system says of a failed connection. */
export interface ConnectionError {
  readonly code?: string | undefined
  readonly message: string
}

/** In a few words, without its place and without a full stop; the system's own words where there are no better ones. */
export function whyNotReached({ code = '', message }: ConnectionError): string {
  return explanations[code] ?? message
}
