/** The parts of the page on Redis clients that are made from tables: commands, and the first words of errors. */
import { errors } from '../../src/protocol/errors.js'
import type { AnyCommandRow } from '../../src/protocol/resp/conversation.js'
import { prefixOf } from '../../src/protocol/resp/failures.js'
import { commandTable } from '../../src/protocol/resp/table.js'

/** The page with those parts made anew. Fails where it lacks the marks around them. */
export function redisPage(page: string): string {
  return replaced(replaced(page, 'errors', errorLines()), 'commands', commandLines())
}

function replaced(page: string, part: string, lines: readonly string[]): string {
  const start = `<!-- ${part}: made from the tables -->\n`
  const end = `<!-- end of ${part} -->`
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error(`the page lacks the marks of its part '${part}'`)
  return [page.slice(0, from), start, '\n', ...lines.map(line => `${line}\n`), '\n', page.slice(to)].join('')
}

const groupNames: Readonly<Record<AnyCommandRow['group'], string>> = {
  string: 'values',
  generic: 'keys',
  transactions: 'transactions',
  connection: 'the connection',
  cluster: 'the cluster',
  server: 'the node',
}

function commandLines(): string[] {
  const rows = [...commandTable].flatMap(([name, row]) => {
    const subcommands = 'subcommands' in row ? Object.entries(row.subcommands) : []
    const own: [string, AnyCommandRow][] =
      subcommands.length === 0 || 'run' in row ? [[name.toUpperCase(), row]] : []
    return [
      ...own,
      ...subcommands.map(
        ([sub, subrow]) => [`${name} ${sub}`.toUpperCase(), { ...subrow, group: row.group }] as const,
      ),
    ]
  })
  // The names of groups are known; the library's type for `Object.keys` is wider on purpose.
  const groups = Object.keys(groupNames) as AnyCommandRow['group'][]
  const lines = groups.flatMap(group =>
    rows
      .filter(([, row]) => row.group === group)
      .map(([name, { summary }]) => `| \`${name}\` | ${groupNames[group]} | ${summary}. |`),
  )
  return ['| command | on | does |', '|---|---|---|', ...lines]
}

function errorLines(): string[] {
  // The keys of a literal object are known; the library's type for `Object.keys` is wider on purpose.
  const codes = Object.keys(errors) as (keyof typeof errors)[]
  const prefixes = [...new Set(codes.map(prefixOf))].filter(prefix => prefix !== 'ERR')
  const lines = prefixes.flatMap(prefix =>
    codes
      .filter(code => prefixOf(code) === prefix)
      .map(
        code => `| \`${prefix}\` | ${errors[code].text} | ${errors[code].definite ? 'nothing' : 'perhaps'} |`,
      ),
  )
  const others = '| `ERR` | all others | as in [surface.md](surface.md#errors) |'
  return ['| begins with | text | it did |', '|---|---|---|', ...lines, others]
}
