/** What dpkg and apt print, taken apart. */

import { tail } from '../probe/probe.ts'

/** How old the lists of packages are: seconds, or why they do not count. */
export type ListsAge = number | 'none' | 'older than the sources'

/** What stands below a heading `# NAME REST` of the answer. */
export interface Part {
  /** What follows the name of the section. */
  readonly rest: string
  readonly lines: readonly string[]
}

export function sectionsOf(text: string): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part & { readonly lines: string[] }>()
  let current: string[] | undefined
  for (const line of text.split('\n')) {
    const [, name, rest = ''] = /^# (\w+) ?(.*)$/.exec(line) ?? []
    if (name) parts.set(name, { rest, lines: (current = []) })
    else if (line !== '') current?.push(line)
  }
  return parts
}

interface Policy {
  readonly candidate: string | null
  readonly versions: readonly string[]
}

/** What apt answered; empty where it was not asked. */
export interface Apt {
  readonly lists: ListsAge | null
  readonly policies: ReadonlyMap<string, Policy>
  readonly providers: ReadonlyMap<string, readonly string[]>
  readonly names: readonly string[]
  readonly install: Simulation
  readonly remove: Simulation
}

interface Simulation {
  readonly removes: readonly string[]
  readonly problem: string | null
}

export function parseApt(parts: ReadonlyMap<string, Part>): Apt {
  const linesOf = (name: string) => parts.get(name)?.lines ?? []
  const age = parts.get('lists')?.rest
  return {
    lists:
      age === undefined ? null : age === 'none' ? 'none' : age === 'changed' ? 'older than the sources' : Number(age),
    policies: parsePolicies(linesOf('policy')),
    providers: parseProviders(linesOf('provides')),
    names: linesOf('names'),
    install: parseSimulation(linesOf('install')),
    remove: parseSimulation(linesOf('remove')),
  }
}

/** `apt-cache policy`: a line with each name, and below it candidate and versions. */
function parsePolicies(lines: readonly string[]): ReadonlyMap<string, Policy> {
  const policies = new Map<string, { candidate: string | null; versions: string[] }>()
  let policy: { candidate: string | null; versions: string[] } | undefined
  for (const line of lines) {
    const [, name] = /^(\S+):$/.exec(line) ?? []
    const [, candidate] = /^ {2}Candidate: (\S+)$/.exec(line) ?? []
    const [, version] = /^ (?: {3}|\*\*\*) (\S+) -?\d+$/.exec(line) ?? []
    if (name) policies.set(name, (policy = { candidate: null, versions: [] }))
    else if (candidate && policy) policy.candidate = candidate === '(none)' ? null : candidate
    else if (version) policy?.versions.push(version)
  }
  return policies
}

/** `apt-cache showpkg`: providers are the last lines of each package. */
function parseProviders(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const providers = new Map<string, string[]>()
  let found: string[] | undefined
  let isReverse = false
  for (const line of lines) {
    const [, name] = /^Package: (\S+)/.exec(line) ?? []
    if (name) providers.set(name, (found = []))
    if (name || /^\w[\w ]*:/.test(line)) isReverse = line.startsWith('Reverse Provides:')
    else if (isReverse) found?.push(line.split(' ')[0]!)
  }
  return new Map([...providers].map(([name, all]) => [name, [...new Set(all)].sort()]))
}

function parseSimulation(lines: readonly string[]): Simulation {
  return {
    removes: lines.flatMap((line) => /^Remv (\S+)/.exec(line)?.[1] ?? []),
    problem: lines.some((line) => line.startsWith('E: '))
      ? tail(lines.filter((line) => !/^(Inst|Conf|Remv|N:|NOTE:)/.test(line)).join('\n'), 8)
      : null,
  }
}
