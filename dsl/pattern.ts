/** Which hosts of an inventory: groups and their combinations, checked by the compiler; names and globs, checked at load. */

import type { FleetVars, GroupName, GroupVars, ShapeSpec } from './groups.ts'

/** A group, `all`, an intersection `web:&edge` or a difference `web:!edge`. */
export type Pattern<S extends ShapeSpec> =
  | 'all'
  | GroupName<S>
  | `${GroupName<S>}:&${GroupName<S>}`
  | `${GroupName<S>}:!${GroupName<S>}`

/** Hosts by glob (`web*`, `db[12]`), for which the compiler cannot know the variables. */
export interface Match {
  readonly glob: string
}

/** Hosts whose names match a glob: `*` any text, `?` one character, `[…]` one of several. */
export function match(glob: string): Match {
  return { glob }
}

/** The variables that hosts of a pattern surely have. */
export type VarsOf<S extends ShapeSpec, P> = P extends `${infer A}:&${infer B}`
  ? VarsOf<S, A> & VarsOf<S, B>
  : P extends `${infer A}:!${string}`
    ? VarsOf<S, A>
    : P extends GroupName<S>
      ? FleetVars<S> & GroupVars<S, P>
      : FleetVars<S>

export interface Named {
  readonly name: string
  readonly groups: readonly string[]
}

/**
 * Hosts that a pattern of the command line or of a play selects, in the inventory's order. The words are ansible's:
 * terms separated by `:` or `,`; `&term` keeps only those, `!term` leaves those out; a term is `all`, a group, a host or a glob.
 */
export function select<H extends Named>(
  pattern: string,
  hosts: readonly H[],
  groups: readonly string[],
): { readonly hosts: readonly H[]; readonly unknown: readonly string[] } {
  const unknown: string[] = []
  const matching = (term: string): Set<H> => {
    const found = hosts.filter(
      (host) => term === 'all' || host.name === term || host.groups.includes(term) || isGlob(term, host.name),
    )
    if (found.length === 0 && term !== 'all' && !groups.includes(term)) unknown.push(term)
    return new Set(found)
  }
  const terms = pattern.split(/[:,]/)
  const chosen = new Set(terms.filter((t) => !/^[&!]/.test(t)).flatMap((t) => [...matching(t)]))
  const base = terms.every((t) => /^[&!]/.test(t)) ? new Set(hosts) : chosen
  const kept = terms.filter((t) => t.startsWith('&')).map((t) => matching(t.slice(1)))
  const left = terms.filter((t) => t.startsWith('!')).map((t) => matching(t.slice(1)))
  return {
    hosts: hosts.filter((h) => base.has(h) && kept.every((s) => s.has(h)) && !left.some((s) => s.has(h))),
    unknown,
  }
}

/** A bracket that is not closed, and a range that ends before it begins, match nothing. */
function isGlob(term: string, name: string): boolean {
  if (!/[*?[]/.test(term)) return false
  const source = term
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^')
  try {
    return new RegExp(`^${source}$`).test(name)
  } catch {
    return false
  }
}
