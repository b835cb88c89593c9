/** What compose.yaml and the Dockerfile say, as far as it matters for running the same without containers. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One service of the compose file, with what its image adds. */
export interface Service {
  readonly name: string
  readonly address: string
  /** The program and its words: the entry point of the image and the command of the service. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** The services in the order of the file, and how long the prefix of their network is. */
export function readCompose(): { readonly services: readonly Service[]; readonly prefixLength: number } {
  const compose = parseYaml(readSource('compose.yaml'))
  const image = readDockerfile(readSource('Dockerfile'))
  const services = Object.keys(mapAt(compose, 'services')).map(name => {
    const service = mapAt(compose, 'services', name)
    const own = service['environment'] === undefined ? {} : mapAt(service, 'environment')
    const environment = Object.entries({ ...image.environment, ...own }).map(([key, value]) => [
      key,
      text(value),
    ])
    return {
      name,
      address: text(mapAt(service, 'networks', 'quorate')['ipv4_address']),
      command: [
        ...image.entrypoint,
        ...(Array.isArray(service['command']) ? service['command'].map(text) : []),
      ],
      environment: Object.fromEntries(environment),
    }
  })
  const ipam = mapAt(compose, 'networks', 'quorate', 'ipam')['config']
  const subnet = Array.isArray(ipam) ? /^subnet: \S+\/(\d+)$/.exec(text(ipam[0]))?.[1] : undefined
  return { services, prefixLength: Number(text(subnet)) }
}

type Yaml = string | Yaml[] | { [key: string]: Yaml }

/**
 * Reads the part of YAML that the compose file uses: maps, lists of plain items, comments and quotes. Anything
 * else is an error, so that it is noticed when the file comes to use more.
 */
export function parseYaml(source: string): Yaml {
  const lines = source
    .split('\n')
    .map(line => line.replace(/(^|\s)#.*$/, '').trimEnd())
    .filter(line => line !== '')
  let at = 0

  function block(indent: number): Yaml {
    return lines[at]?.slice(indent).startsWith('- ') ? list(indent) : map(indent)
  }
  function list(indent: number): Yaml[] {
    const items: Yaml[] = []
    for (; indentAt() === indent; at++) items.push(scalar((lines[at] ?? '').slice(indent + 2)))
    return items
  }
  function map(indent: number): Yaml {
    const found: { [key: string]: Yaml } = {}
    while (indentAt() === indent) {
      const match = /^([\w.-]+):(?: (.+))?$/.exec((lines[at] ?? '').slice(indent))
      if (match === null) throw new Error(`not understood: ${lines[at]}`)
      const [, key = '', value] = match
      at++
      found[key] = value !== undefined ? scalar(value) : indentAt() > indent ? block(indentAt()) : ''
    }
    return found
  }
  /** Of the line that comes next; -1 at the end. */
  function indentAt(): number {
    return lines[at]?.search(/\S/) ?? -1
  }

  const whole = block(0)
  if (at < lines.length) throw new Error(`not understood: ${lines[at]}`)
  return whole
}

function scalar(written: string): Yaml {
  const quoted = /^"([^"\\]*)"$/.exec(written)?.[1]
  if (quoted !== undefined) return quoted
  if (/^[[{|>&*!"']/.test(written)) throw new Error(`not understood: ${written}`)
  return written
}

/** The settings of the last stage, which is the image. */
function readDockerfile(source: string): {
  readonly entrypoint: readonly string[]
  readonly environment: Readonly<Record<string, string>>
} {
  const stage = source.slice(source.lastIndexOf('\nFROM '))
  const entrypoint: unknown = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(stage)?.[1] ?? 'null')
  if (!Array.isArray(entrypoint)) throw new Error('the image has no entry point that is a list of words')
  const environment = [...stage.matchAll(/^ENV (\w+)=(\S*)$/gm)].map(([, name = '', value = '']) => [
    name,
    value,
  ])
  return { entrypoint: entrypoint.map(String), environment: Object.fromEntries(environment) }
}

function mapAt(value: Yaml, ...path: readonly string[]): { [key: string]: Yaml } {
  let found: Yaml | undefined = value
  for (const key of path) found = typeof found === 'object' && !Array.isArray(found) ? found[key] : undefined
  if (typeof found !== 'object' || Array.isArray(found))
    throw new Error(`compose.yaml has no ${path.join('.')}`)
  return found
}

function text(value: unknown): string {
  if (typeof value !== 'string')
    throw new Error(`expected text in compose.yaml, found ${JSON.stringify(value)}`)
  return value
}

/** A file of the source checkout: the compiled test stands in dist/test/e2e. */
function readSource(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../${name}`, import.meta.url)), 'utf8')
}
