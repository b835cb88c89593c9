/** Biome, which npm installs as a program of its own for each platform, if its list has one for it. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(import.meta.resolve('@biomejs/biome/bin/biome'))
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Whether there is a program for this machine. */
export function hasLinter(): boolean {
  return run('--version').status === 0
}

/** What is wrong with the code, in the linter's own words; '' for nothing. */
export function lint(): string {
  const { status, said } = run('ci', '--error-on-warnings', '--colors=off', '.')
  return status === 0 ? '' : said
}

function run(...words: string[]): { readonly status: number | null; readonly said: string } {
  const options = { cwd: root, encoding: 'utf8', timeout: 120_000 } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], options)
  return { status, said: `${stdout}${stderr}` }
}
