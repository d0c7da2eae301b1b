/** Plays as TypeScript: what the compiler says of them, and what a value must not do. The only file that knows ts-morph. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Diagnostic, DiagnosticCategory, Node, Project, type SourceFile, SyntaxKind, ts } from 'ts-morph'
import { Failure, type Place } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'

/** Where our own sources are: they are no part of what a user is told of. */
const house = fileURLToPath(new URL('..', import.meta.url))

export class SourceCheck {
  readonly #project: Project
  readonly #sources: readonly SourceFile[]

  /** Looks at files and at what they import of the user's own. */
  constructor(folder: string, files: readonly string[]) {
    const tsConfigFilePath = join(folder, 'tsconfig.json')
    this.#project = existsSync(tsConfigFilePath)
      ? new Project({
          tsConfigFilePath,
          skipAddingFilesFromTsConfig: true,
          compilerOptions: { noEmit: true, allowJs: true },
        })
      : new Project({ compilerOptions })
    for (const file of files) this.#project.addSourceFileAtPath(file)
    this.#project.resolveSourceFileDependencies()
    this.#sources = this.#project.getSourceFiles().filter((source) => isUsers(source, files))
  }

  /** A play that cannot find fleetplay: everything else that the compiler says then follows from that. */
  missingPackage(): Failure | undefined {
    for (const source of this.#sources) {
      for (const declaration of source.getImportDeclarations()) {
        const name = declaration.getModuleSpecifierValue()
        if (!/^fleetplay(\/|$)/.test(name)) continue
        if (declaration.getModuleSpecifierSourceFile()) continue
        const hint = 'Install it in this folder: npm install fleetplay'
        const place = placeAt(source, declaration.getStart())
        return new Failure('E_PLAY_TYPES', `${name} is not installed here.`, { place, hint })
      }
    }
    return undefined
  }

  /** What the compiler refuses. */
  types(): readonly Failure[] {
    return this.#sources.flatMap((source) => source.getPreEmitDiagnostics().flatMap(typeFailure))
  }

  /** Where plays read a clock, randomness or the world. An inventory may: it is read once, and tells what is. */
  impurities(plays: readonly string[]): readonly Failure[] {
    return this.#reachable(plays).flatMap((source) => [
      ...source.getImportDeclarations().flatMap((declaration) => {
        const hint = impureModules.find(([pattern]) => pattern.test(declaration.getModuleSpecifierValue()))?.[1]
        return hint && !declaration.isTypeOnly()
          ? [impure(declaration, declaration.getModuleSpecifierValue(), hint)]
          : []
      }),
      ...source.getDescendantsOfKind(SyntaxKind.Identifier).flatMap((node) => {
        const name = globalRead(node)
        return name ? [impure(node, name, impureGlobals[name]!)] : []
      }),
    ])
  }

  /** Plays and what they import, without inventories. */
  #reachable(plays: readonly string[]): readonly SourceFile[] {
    const reached = new Set<SourceFile>()
    const visit = (source: SourceFile | undefined): void => {
      if (!source || reached.has(source) || !this.#sources.includes(source)) return
      reached.add(source)
      for (const imported of source.getReferencedSourceFiles()) visit(imported)
    }
    for (const play of plays) visit(this.#project.getSourceFile(play))
    return [...reached]
  }
}

/** For a project that has no tsconfig.json. */
const compilerOptions: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  allowJs: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
}

function isUsers(source: SourceFile, files: readonly string[]): boolean {
  const path = source.getFilePath()
  if (files.includes(path)) return true
  return !source.isInNodeModules() && !source.isDeclarationFile() && !isOurs(path)
}

/** In a checkout the sources of the package itself are imported by the plays that ship with it. */
function isOurs(path: string): boolean {
  const floors = [
    'shell',
    'errors',
    'probe',
    'connection',
    'dsl',
    'modules',
    'engine',
    'report',
    'testing',
    'cli',
    'dist',
  ]
  return dirname(path) === dirname(join(house, 'x')) || floors.some((floor) => path.startsWith(join(house, floor, '/')))
}

function typeFailure(diagnostic: Diagnostic): readonly Failure[] {
  if (diagnostic.getCategory() !== DiagnosticCategory.Error) return []
  const file = diagnostic.getSourceFile()
  const start = diagnostic.getStart()
  const place = file && start !== undefined ? placeAt(file, start) : undefined
  const text = ts.flattenDiagnosticMessageText(diagnostic.compilerObject.messageText, '\n')
  const node = start === undefined ? undefined : file?.getDescendantAtPos(start)
  const [message, hint] = inPlainWords(text, node) ?? [text.split('\n')[0]!, text.split('\n').slice(1).at(-1)?.trim()]
  return [new Failure('E_PLAY_TYPES', message, { place, hint })]
}

/** What the compiler says of the language of plays, in its own words. */
function inPlainWords(text: string, node: Node | undefined): readonly [string, string | undefined] | undefined {
  const [, unfinished] = /Type '([^']+)' is not assignable to type '[^']*\bTask\b/.exec(text) ?? []
  if (unfinished) {
    const start = unfinished.replace(/<.*/, '')
    if (start === 'Handler')
      return [
        'A handler is no task: it runs where a task notifies it.',
        'Say .notify(…) on the task whose change it reacts to.',
      ]
    return [
      'This is no task: its chain is not finished.',
      `It is still a ${start}; the editor offers the rest after a dot.`,
    ]
  }
  const [, pattern] =
    /^Argument of type '"([^"]+)"' is not assignable to parameter of type '[^']*\bPattern</.exec(text) ?? []
  if (pattern) {
    const argument = node?.getParentIfKind(SyntaxKind.StringLiteral) ?? node
    const patterns = Node.isExpression(argument) ? (argument.getContextualType()?.getUnionTypes() ?? []) : []
    const names = patterns.flatMap((type) => (type.isStringLiteral() ? [type.getText().slice(1, -1)] : []))
    return [
      `hosts('${pattern}'): the shape has no such group.`,
      meant(
        pattern,
        names.filter((name) => !name.includes(':')),
      ),
    ]
  }
  const [, variable] = /^Property '(\w+)' does not exist on type '(?:Simple<|ValuesOf<)/.exec(text) ?? []
  const access = node?.getParentIfKind(SyntaxKind.PropertyAccessExpression)
  if (variable && access) {
    const names = access
      .getExpression()
      .getType()
      .getProperties()
      .map((property) => property.getName())
    return [`The hosts of this play need not have a variable ${variable}.`, meant(variable, names)]
  }
  return undefined
}

function meant(word: string, names: readonly string[]): string {
  const close = nearest(word, names)
  return close ? `Did you mean ${close}?` : `There are: ${names.join(', ')}.`
}

function placeAt(source: SourceFile, position: number): Place {
  const { line, column } = source.getLineAndColumnAtPos(position)
  return { file: source.getFilePath(), line, column }
}

const variableHint = 'Take it from a variable of the inventory, or from -e name=value.'
const commandHint = 'What a host must tell is a fact or a task; it is asked when the play runs.'

const impureModules: readonly (readonly [RegExp, string])[] = [
  [/^(node:)?fs(\/promises)?$/, 'A local file is a value too: file(…).source(path) reads it before any connection.'],
  [/^(node:)?(child_process|worker_threads|cluster)$/, commandHint],
  [/^(node:)?(net|http|https|http2|dns|dgram|tls|os|readline)(\/promises)?$/, variableHint],
  [/^(node:)?timers(\/promises)?$/, commandHint],
]

/** Globals that a value must not touch, each with what to do instead. */
const impureGlobals: Readonly<Record<string, string>> = {
  Date: 'A play that reads a clock wishes something else at every run. Let the host do it, by a timer or cron.',
  performance: 'A play that reads a clock wishes something else at every run.',
  'Math.random': 'A play that throws dice wishes something else at every run. Derive it from the name of the host.',
  crypto: 'A play that throws dice wishes something else at every run. Derive it from the name of the host.',
  process: variableHint,
  fetch: variableHint,
  setTimeout: 'A play is a value: making it must not wait.',
  setInterval: 'A play is a value: making it must not wait.',
  setImmediate: 'A play is a value: making it must not wait.',
  console: 'Making a play must not print; its tasks are told by the run.',
}

/** The name of an impure global that is read here: not one of the user's own by that name, nor a property or a type. */
function globalRead(node: Node): string | undefined {
  const parent = node.getParent()
  const text = node.getText()
  const name = text === 'random' && parent?.getText() === 'Math.random' ? 'Math.random' : text
  if (!Object.hasOwn(impureGlobals, name)) return undefined
  const isProperty = Node.isPropertyAccessExpression(parent) && parent.getNameNode() === node
  if (isProperty && name !== 'Math.random') return undefined
  if (Node.isTypeReference(parent) || Node.isPropertyAssignment(parent) || Node.isImportSpecifier(parent))
    return undefined
  const declared = node.getSymbol()?.getDeclarations() ?? []
  const isUsersOwn = declared.some((declaration) => !declaration.getSourceFile().isDeclarationFile())
  return isUsersOwn ? undefined : name
}

function impure(node: Node, what: string, hint: string): Failure {
  const place = placeAt(node.getSourceFile(), node.getStart())
  return new Failure('E_PLAY_IMPURE', `A play is a value, and must not use ${what}.`, { place, hint })
}
