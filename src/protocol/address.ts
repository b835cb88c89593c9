/**
 * Where clients reach a node: a host and a port, as text. There are three forms: as somebody typed it, in
 * full (`host:port`, how nodes keep and compare it) and for display (without the port where that is 5000).
 */

/** The client port of a node that names none. */
export const defaultPort = 5000

/** The longest host name there is (RFC 1035). */
const hostLengthMax = 253

export interface Address {
  /** A name or an IPv4 address, or an IPv6 address without its brackets; in lower case. */
  readonly host: string
  readonly port: number
}

/**
 * Reads `host`, `host:port`, `[v6]` or `[v6]:port`; undefined if it is none of these. An IPv6 address needs its
 * brackets, because its last part could as well be a port.
 */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, name, portText] = match
  const host = (bracketed ?? name ?? '').toLowerCase()
  const port = portText === undefined ? defaultPort : Number(portText)
  const isHost = bracketed === undefined ? isHostName(host) : isIpv6(host)
  return isHost && port >= 1 && port <= 65535 ? { host, port } : undefined
}

/** The full form: `host:port`, or `[v6]:port`. */
export function formatAddress(address: Address): string {
  return `${bracketed(address.host)}:${address.port}`
}

/** How people are shown a full address: `host` where the port is 5000, else `host:port`. */
export function displayAddress(full: string): string {
  const suffix = `:${defaultPort}`
  return full.endsWith(suffix) ? full.slice(0, -suffix.length) : full
}

/** What somebody typed as a full address, or undefined if it is no address. */
export function fullAddress(typed: string): string | undefined {
  const address = parseAddress(typed)
  return address === undefined ? undefined : formatAddress(address)
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Letters, digits, hyphens and underscores in parts separated by dots. Containers do use underscores. */
function isHostName(host: string): boolean {
  return host.length <= hostLengthMax && host.split('.').every(part => /^[a-z0-9_][a-z0-9_-]*$/.test(part))
}

/** Eight groups of hexadecimal digits, one run of zeros of which may be left out; maybe with a zone. */
function isIpv6(host: string): boolean {
  const match = /^([0-9a-f:]*)(%[a-z0-9_.-]+)?$/.exec(embeddedIpv4AsGroups(host))
  const [left, right, ...others] = match?.[1]?.split('::') ?? []
  if (left === undefined || others.length > 0 || host.length > hostLengthMax) return false
  const groups = [left, right ?? ''].filter(part => part !== '').flatMap(part => part.split(':'))
  const counts = right === undefined ? groups.length === 8 : groups.length <= 7
  return counts && groups.every(group => /^[0-9a-f]{1,4}$/.test(group))
}

/** `::ffff:192.168.1.1` ends in an IPv4 address, which stands for two groups. */
function embeddedIpv4AsGroups(host: string): string {
  return host.replace(/:(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?=$|%)/, (whole, ...parts: string[]) =>
    parts.slice(0, 4).every(part => Number(part) <= 255) ? ':0:0' : whole,
  )
}
