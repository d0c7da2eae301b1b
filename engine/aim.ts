/** Which plays are for which hosts, and every mistake that can be seen without a host. */

import type { InventoryHost } from '../dsl/inventory.ts'
import { select } from '../dsl/pattern.ts'
import { type Play, type Plays, type Together, typicalFacts } from '../dsl/play.ts'
import { Failure, Mistakes } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { type Choice, type CompiledTask, compile } from './compile.ts'
import { sensitiveKeys } from './sensitive.ts'
import { conflicts } from './conflicts.ts'

export interface AimOptions extends Choice {
  readonly plays: Plays
  readonly hosts: readonly InventoryHost[]
  /** A pattern that narrows every play; undefined for all hosts. */
  readonly limit: string | undefined
}

/** A play with the hosts that it is for. */
export interface Aimed {
  readonly play: Play
  readonly hosts: readonly InventoryHost[]
  /** The tasks of its first host, as far as they are known before its facts are. */
  readonly tasks: readonly CompiledTask[]
  /** Keys of the places that are sensitive on any of its hosts. */
  readonly sensitive: ReadonlySet<string>
}

/** Plays that run side by side, after one another. */
export type Stages = readonly (readonly Aimed[])[]

/** The stages of a run, after every mistake that can be seen without a host was looked for. */
export function aim(options: AimOptions): Stages {
  const { hosts, limit } = options
  const problems: Failure[] = []
  const stages = stagesOf(options.plays).map((plays) =>
    plays.map((play) => ({ play, hosts: aimedHosts(play, hosts, problems) })),
  )
  const narrowed = limit === undefined ? undefined : limited(limit, hosts, stages.flat(), problems)
  const byHost = new Map<InventoryHost, CompiledTask[]>()
  const aimed = stages.map((stage) =>
    stage.map(({ play, hosts: all }): Aimed => {
      problems.push(...play.problems)
      const mine = narrowed ? all.filter((host) => narrowed.has(host)) : all
      let first: readonly CompiledTask[] | undefined
      const sensitive = new Set<string>()
      for (const host of mine) {
        const compiled = compile(play, host, hosts, typicalFacts, options)
        // What it needs of a host, and a plain one lacks, is known when the host is.
        problems.push(...compiled.problems.filter(({ code }) => code !== 'E_FACT_MISSING'))
        byHost.set(host, [...(byHost.get(host) ?? []), ...compiled.tasks])
        first ??= compiled.tasks
        for (const key of sensitiveKeys(compiled.tasks)) sensitive.add(key)
      }
      return { play, hosts: mine, tasks: first ?? [], sensitive }
    }),
  )
  problems.push(...sameNames(stages.flat().map(({ play }) => play)))
  // Two plays that disagree on a place would change it at every run, back and forth.
  for (const tasks of byHost.values()) problems.push(...conflicts(tasks))
  const different = new Map(problems.map((problem) => [JSON.stringify([problem.message, problem.place]), problem]))
  if (different.size > 0) throw new Mistakes([...different.values()])
  return aimed
}

/** What is told and recorded of a play is known by its name. */
function sameNames(plays: readonly Play[]): readonly Failure[] {
  return plays.flatMap(({ name, origin }, i) => {
    if (plays.findIndex((other) => other.name === name) === i) return []
    const hint = 'Give each a name of its own: records of a run know a play by it.'
    return [new Failure('E_PLAY_INVALID', `Two plays of a run are called ${name}.`, { place: origin.place, hint })]
  })
}

function stagesOf(plays: Plays): readonly (readonly Play[])[] {
  const list: readonly (Play | Together)[] = Array.isArray(plays) ? plays : [plays as Play | Together]
  return list.map((entry) => (entry.kind === 'together' ? entry.plays : [entry]))
}

function aimedHosts(play: Play, fleet: readonly InventoryHost[], problems: Failure[]): readonly InventoryHost[] {
  const groups = Object.keys(play.shape.groups)
  const { hosts, unknown } = select(play.pattern, fleet, groups)
  const names = [...groups, ...fleet.map(({ name }) => name)]
  for (const term of unknown) {
    problems.push(unknownTerm(`The play ${play.name}: hosts('${term}')`, term, names).at(play.origin.place))
  }
  return hosts
}

function limited(
  limit: string,
  fleet: readonly InventoryHost[],
  aimed: readonly Pick<Aimed, 'play' | 'hosts'>[],
  problems: Failure[],
): ReadonlySet<InventoryHost> {
  const groups = [...new Set(aimed.flatMap(({ play }) => Object.keys(play.shape.groups)))]
  const { hosts, unknown } = select(limit, fleet, groups)
  for (const term of unknown) {
    problems.push(unknownTerm(term, term, [...groups, ...fleet.map(({ name }) => name)]))
  }
  const meant = new Set(aimed.flatMap((a) => a.hosts))
  if (unknown.length === 0 && !hosts.some((host) => meant.has(host))) {
    problems.push(new Failure('E_PATTERN', `${limit} is no host that these plays are for.`))
  }
  return new Set(hosts)
}

export function unknownTerm(where: string, term: string, names: readonly string[]): Failure {
  if (term === '') {
    const hint = 'A variable of the shell that is not set? For all hosts, say all.'
    return new Failure('E_PATTERN', 'A pattern of hosts is empty, or has an empty part.', { hint })
  }
  const close = nearest(term, names)
  const hint = close ? `Did you mean ${close}?` : `There are: ${names.join(', ')}.`
  return new Failure('E_PATTERN', `${where} matches no host and no group of the inventory.`, { hint })
}
