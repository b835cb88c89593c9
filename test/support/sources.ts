/**
 * The TypeScript sources as syntax trees, for tests of how the code is built. The trees come from the compiler
 * itself, so that nothing is found in comments and strings that is not code. Its programming interface is
 * called unstable: whoever updates TypeScript sees it here, and only here.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import {
  isCallExpression,
  isClassDeclaration,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isInterfaceDeclaration,
  isLiteralTypeNode,
  isNamedImports,
  isPropertyAccessExpression,
  isShorthandPropertyAssignment,
  isStringLiteral,
  isVariableStatement,
} from 'typescript/unstable/ast/is'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

/** Sources by path, relative to the top of the project, such as `src/base/ids.ts`. */
export type Texts = Readonly<Record<string, string>>

/** What one file imports from another, or from a package. */
export interface Import {
  readonly line: number
  /** As it is written: `../base/ids.js`, `node:net`, `pino`. */
  readonly from: string
  /** The names; undefined where all are taken, or none. */
  readonly names: readonly string[] | undefined
}

/** Something in a file, at a line. */
export interface Place {
  readonly line: number
  readonly text: string
}

/** One file, as far as tests look at it. */
export interface Source {
  readonly path: string
  readonly text: string
  /** Static and dynamic imports, re-exports and types taken by `import(...)`. */
  readonly imports: readonly Import[]
  /** Names that are used, not those that are declared or follow a dot; with `Math.random` also the member. */
  readonly names: readonly Place[]
  /** `async`, `await`, `for await`. */
  readonly waits: readonly Place[]
  /** Exported declarations without a comment of their own right above them. */
  readonly undocumented: readonly Place[]
}

/** The texts of all TypeScript files below these folders of the current directory. */
export function readTexts(folders: readonly string[]): Texts {
  const texts: Record<string, string> = {}
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, entry)
      if (path.endsWith('.ts')) texts[path] = readFileSync(path, 'utf8')
    }
  }
  return texts
}

/** Parses the texts. Fails on one that is not TypeScript, because nothing could be said of it. */
export function parseSources(texts: Texts): readonly Source[] {
  const paths = Object.keys(texts)
  // No library and no resolution: only the syntax is asked for.
  const config = { compilerOptions: { noLib: true, noResolve: true, types: [] }, files: paths }
  const files = Object.fromEntries(Object.entries(texts).map(([path, text]) => [`/${path}`, text]))
  const api = new API({
    cwd: '/',
    fs: createVirtualFileSystem({ ...files, '/tsconfig.json': JSON.stringify(config) }),
  })
  try {
    const [project] = api.updateSnapshot({ openProjects: ['/tsconfig.json'] }).getProjects()
    return paths.map(path => {
      const tree = project?.program.getSourceFile(`/${path}`)
      const [problem] = project?.program.getSyntacticDiagnostics(`/${path}`) ?? []
      if (tree === undefined || problem !== undefined) throw new Error(`${path} cannot be parsed`)
      return sourceOf(path, tree)
    })
  } finally {
    api.close()
  }
}

function sourceOf(path: string, tree: SourceFile): Source {
  const imports: Import[] = []
  const names: Place[] = []
  const waits: Place[] = []
  const lineOf = (node: Node) => tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
  const visit = (node: Node): void => {
    const imported = importOf(node)
    if (imported !== undefined) imports.push({ line: lineOf(node), ...imported })
    const name = usedName(node)
    if (name !== undefined) names.push({ line: lineOf(node), text: name })
    if (node.kind === SyntaxKind.AsyncKeyword || node.kind === SyntaxKind.AwaitKeyword) {
      waits.push({ line: lineOf(node), text: node.kind === SyntaxKind.AsyncKeyword ? 'async' : 'await' })
    }
    if (node.kind === SyntaxKind.AwaitExpression) waits.push({ line: lineOf(node), text: 'await' })
    node.forEachChild(child => {
      visit(child)
      return undefined
    })
  }
  visit(tree)
  return { path, text: tree.text, imports, names, waits, undocumented: undocumented(path, tree, lineOf) }
}

function importOf(node: Node): Omit<Import, 'line'> | undefined {
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    const bindings = node.importClause?.namedBindings
    const isNamed = bindings !== undefined && isNamedImports(bindings)
    const names = isNamed ? bindings.elements.map(one => (one.propertyName ?? one.name).text) : undefined
    return { from: node.moduleSpecifier.text, names }
  }
  if (
    isExportDeclaration(node) &&
    node.moduleSpecifier !== undefined &&
    isStringLiteral(node.moduleSpecifier)
  ) {
    return { from: node.moduleSpecifier.text, names: undefined }
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const [from] = node.arguments
    // What is not written out cannot be checked, so it is shown as a package of that name.
    return { from: from !== undefined && isStringLiteral(from) ? from.text : '(computed)', names: undefined }
  }
  if (isImportTypeNode(node) && isLiteralTypeNode(node.argument) && isStringLiteral(node.argument.literal)) {
    return { from: node.argument.literal.text, names: undefined }
  }
  return undefined
}

/** The name that an identifier uses, if it does not name what it stands in. */
function usedName(node: Node): string | undefined {
  if (!isIdentifier(node)) return undefined
  const { parent } = node
  if ('name' in parent && parent.name === node && !isShorthandPropertyAssignment(parent)) return undefined
  if ('propertyName' in parent && parent.propertyName === node) return undefined
  const isObject = isPropertyAccessExpression(parent) && parent.expression === node
  return isObject ? `${node.text}.${parent.name.text}` : node.text
}

/**
 * Exported declarations that lack a comment. One-line declarations that follow each other without an empty line
 * are a group, which shares the comment above its first. The class or interface that a file is named after (`Log`
 * in `log.ts`, `QuorateNode` in `node.ts`) is what the note at the top is about, and needs no second one.
 */
function undocumented(path: string, tree: SourceFile, lineOf: (node: Node) => number): Place[] {
  const hasNote = tree.text.startsWith('/**')
  const found: Place[] = []
  let group = { endLine: 0, isDocumented: false }
  for (const statement of tree.statements) {
    const isExported = 'modifiers' in statement && isExportedBy(statement.modifiers)
    if (!isExported) continue
    const line = lineOf(statement)
    const endLine = tree.getLineAndCharacterOfPosition(statement.end).line + 1
    const isOneLine = line === endLine && isVariableStatement(statement)
    const isDocumented =
      hasComment(statement, tree, line) || (isOneLine && group.isDocumented && group.endLine === line - 1)
    const isType = isClassDeclaration(statement) || isInterfaceDeclaration(statement)
    const isByNote = hasNote && isType && isNamedAfter(statement.name?.text ?? '', path)
    if (!isDocumented && !isByNote) found.push({ line, text: firstLine(tree, line) })
    group = { endLine, isDocumented: isOneLine && isDocumented }
  }
  return found
}

/** Whether a file is called like an item, or like the first or last words of its name. */
function isNamedAfter(name: string, path: string): boolean {
  const words = name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase()
  const file = basename(path, '.ts')
  return words === file || words.startsWith(`${file}-`) || words.endsWith(`-${file}`)
}

function isExportedBy(modifiers: unknown): boolean {
  if (typeof modifiers !== 'object' || modifiers === null || !(Symbol.iterator in modifiers)) return false
  return [...(modifiers as Iterable<Node>)].some(({ kind }) => kind === SyntaxKind.ExportKeyword)
}

/** Whether a doc comment ends on the line above; the note at the top of a file is set apart by an empty line. */
function hasComment(statement: Node, tree: SourceFile, line: number): boolean {
  const last = statement.jsDoc?.at(-1)
  return last !== undefined && tree.getLineAndCharacterOfPosition(last.end).line + 1 === line - 1
}

function firstLine(tree: SourceFile, line: number): string {
  return tree.text.split('\n')[line - 1]?.trim() ?? ''
}
