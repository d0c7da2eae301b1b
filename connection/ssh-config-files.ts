/** Reads ssh_config files where the OpenSSH client is not there to do it, and tells which hosts they treat alike. */

import { readdir, readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { Failure } from '../errors/failure.ts'
import { matchesPatterns } from './known-hosts.ts'

/** Keywords in lower case, each with its values in their order; as `ssh -G` prints them. */
export type Settings = ReadonlyMap<string, readonly string[]>

/** Lines under one `Host` or `Match`, or in front of the first. */
export interface Section {
  readonly when: Condition
  readonly file: string
  readonly lines: readonly Line[]
}

type Condition =
  | { readonly kind: 'always' }
  | { readonly kind: 'host'; readonly patterns: readonly string[] }
  | { readonly kind: 'match'; readonly words: readonly string[] }

type Line =
  | { readonly kind: 'setting'; readonly keyword: string; readonly value: string }
  | { readonly kind: 'include'; readonly sections: readonly Section[] }

/** Who asks for which host. */
export interface Question {
  readonly host: string
  readonly user?: string | undefined
  readonly port?: number | undefined
  /** As `ProxyJump`: hosts with commas between, or `none`. */
  readonly jump?: string | undefined
}

/** As in OpenSSH. */
const deepestInclude = 16
/** Their values gather; of all others the first one counts. */
const gathering = new Set(['identityfile', 'certificatefile'])

/**
 * The sections of configuration files, with all `Include`d ones in their place. Files that do not exist have none.
 *
 * @param home what `~` and relative includes of the user's own file stand for
 */
export async function readConfigFiles(files: readonly string[], home: string): Promise<readonly Section[]> {
  const sections = await Promise.all(files.map((file) => readConfigFile(file, home, 0)))
  return sections.flat()
}

async function readConfigFile(file: string, home: string, depth: number): Promise<readonly Section[]> {
  if (depth > deepestInclude)
    throw new Failure('E_CONNECT', `${file}: ssh_config files include one another more than ${deepestInclude} deep.`)
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return []
  const { parse } = await import('ssh-config')
  const include = async (patterns: readonly string[]): Promise<Line> => {
    const base = file.startsWith('/etc/') ? dirname(file) : join(home, '.ssh')
    const found = await Promise.all(patterns.map((pattern) => expandGlob(absolute(pattern, base, home))))
    const sections = await Promise.all(found.flat().map((path) => readConfigFile(path, home, depth + 1)))
    return { kind: 'include', sections: sections.flat() }
  }
  const linesOf = (nodes: Iterable<ParsedLine>) =>
    Promise.all(
      [...nodes].flatMap(({ param, value, config }): readonly Promise<Line>[] => {
        if (param === undefined || value === undefined || config) return []
        if (param.toLowerCase() === 'include') return [include(wordsOf(value))]
        return [Promise.resolve({ kind: 'setting', keyword: param.toLowerCase(), value: wordsOf(value).join(' ') })]
      }),
    )
  const nodes = [...(parse(text) as Iterable<ParsedLine>)]
  const sections: Section[] = [{ when: { kind: 'always' }, file, lines: await linesOf(nodes) }]
  for (const { param, value, config } of nodes) {
    if (!param || !value || !config) continue
    const words = wordsOf(value)
    const when: Condition =
      param.toLowerCase() === 'host' ? { kind: 'host', patterns: words } : { kind: 'match', words }
    sections.push({ when, file, lines: await linesOf(config) })
  }
  return sections.filter(({ lines }) => lines.length > 0)
}

/** A line as the package ssh-config has it: a comment without `param`, a section with `config`. */
interface ParsedLine {
  readonly param?: string
  readonly value?: string | readonly { readonly val: string }[]
  readonly config?: Iterable<ParsedLine>
}

function wordsOf(value: string | readonly { readonly val: string }[]): readonly string[] {
  return typeof value === 'string' ? [value] : value.map(({ val }) => val)
}

/**
 * A name for what the files say of a host: hosts with one name get the same settings, but for the name itself.
 * Undefined where that cannot be told without asking for each host: `Match`, a `HostName`, tokens such as `%h`.
 */
export function sameness(sections: readonly Section[], host: string): string | undefined {
  const marks = sections.map(({ when, lines }): string | undefined => {
    if (when.kind === 'match') return undefined
    if (when.kind === 'host' && !matchesPatterns(when.patterns, host)) return '-'
    const inner = lines.map((line): string | undefined => {
      if (line.kind === 'include') return sameness(line.sections, host)
      const own = /^(hostname|canonical.*)$/.test(line.keyword) || line.value.includes('%')
      return own ? undefined : ''
    })
    return inner.includes(undefined) ? undefined : `+(${inner.join('')})`
  })
  return marks.includes(undefined) ? undefined : marks.join('')
}

/** Applies the files to a host, as ssh_config(5) says; refuses what only the OpenSSH client can decide. */
export function evaluate(sections: readonly Section[], question: Question): Settings {
  const settings = new Map<string, string[]>()
  if (question.user !== undefined) settings.set('user', [question.user])
  if (question.port !== undefined) settings.set('port', [String(question.port)])
  if (question.jump !== undefined) settings.set('proxyjump', [question.jump])
  apply(sections, question, settings)
  return settings
}

function apply(sections: readonly Section[], question: Question, settings: Map<string, string[]>): void {
  for (const { when, file, lines } of sections) {
    if (!holds(when, file, question, settings)) continue
    for (const line of lines) {
      if (line.kind === 'include') apply(line.sections, question, settings)
      else if (line.keyword === 'proxycommand' && (settings.get('proxyjump')?.[0] ?? 'none') !== 'none') continue
      else if (line.keyword === 'proxyjump' && settings.has('proxycommand')) continue
      else if (!settings.has(line.keyword)) settings.set(line.keyword, [line.value])
      else if (gathering.has(line.keyword)) settings.get(line.keyword)!.push(line.value)
    }
  }
}

function holds(when: Condition, file: string, question: Question, settings: Settings): boolean {
  switch (when.kind) {
    case 'always':
      return true
    case 'host':
      return matchesPatterns(when.patterns, question.host)
    case 'match':
      return matchHolds(when.words, file, question, settings)
  }
}

function matchHolds(words: readonly string[], file: string, question: Question, settings: Settings): boolean {
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const negated = word.startsWith('!')
    const criterion = word.slice(negated ? 1 : 0).toLowerCase()
    const hit = criterion === 'all' || matchesPatterns((rest.shift() ?? '').split(','), valueOf(criterion))
    if (hit === negated) return false
  }
  return true

  function valueOf(criterion: string): string {
    if (criterion === 'host') return settings.get('hostname')?.[0]?.replaceAll('%h', question.host) ?? question.host
    if (criterion === 'originalhost') return question.host
    if (criterion === 'user') return settings.get('user')?.[0] ?? userInfo().username
    if (criterion === 'localuser') return userInfo().username
    throw new Failure('E_CONNECT', `${file}: only the OpenSSH client can decide \`Match ${words.join(' ')}\`.`, {
      hint: 'Install the OpenSSH client (the command `ssh`) where fleetplay runs.',
    })
  }
}

function absolute(path: string, base: string, home: string): string {
  if (path.startsWith('~/')) return join(home, path.slice(2))
  return isAbsolute(path) ? path : join(base, path)
}

/** Paths that a glob(7) pattern with `*` and `?` means, in the order of their names. */
async function expandGlob(pattern: string): Promise<readonly string[]> {
  let found = ['/']
  for (const part of pattern.split('/').filter(Boolean)) {
    const next = found.map(async (folder) => {
      if (!/[*?]/.test(part)) return [join(folder, part)]
      const names = await readdir(folder).catch((): string[] => [])
      const visible = names.filter((name) => !name.startsWith('.') || part.startsWith('.'))
      return visible.filter((name) => matchesPatterns([part], name)).map((name) => join(folder, name))
    })
    found = (await Promise.all(next)).flat().toSorted()
  }
  return found
}
