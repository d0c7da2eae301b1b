/** Whether a host knows the user and the group that a task gives files to. */

import { look, type Resource, type Wish } from '../dsl/resource.ts'
import { type Reading, refuse, type Verdict } from '../dsl/task.ts'
import { nearest } from '../errors/suggest.ts'
import { type Collector, type Output, Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

type Database = 'passwd' | 'group'

/** Whether a name is known; where it is not, the name of the host that was probably meant. */
export type Known = true | { readonly nearest: string | null }

/**
 * Whether the host knows a user or a group, by whatever it asks for names: its own files, LDAP. It can only be looked at.
 * On a mock host every name is known, where the test does not say otherwise.
 *
 * @see getent(1), nsswitch.conf(5)
 */
export function knownName(database: Database, name: string): Resource<Known> {
  return {
    key: knownNameKey(database, name),
    label: `${database === 'passwd' ? 'user' : 'group'} ${name}`,
    read: Probe.of(knownNames, `${database}/${name}`),
    show: (value) => (value === true ? 'known' : 'unknown'),
    fresh: true,
  }
}

/** The key of `knownName`, which what makes or removes an account touches. */
export function knownNameKey(database: Database, name: string): string {
  return `known:${database}/${name}`
}

interface Owner {
  readonly owner?: string
  readonly group?: string
}

/** What `unknownOwners` looks at. Of root and of numbers nothing is asked. */
export function ownersLooked(owned: Owner): readonly Wish[] {
  return asked(owned).map(([database, name]) => look(knownName(database, name)))
}

/** Refuses an owner or a group that the host does not know and no earlier task may make. */
export function unknownOwners(owned: Owner, { now, certain }: Reading): readonly Verdict[] {
  return asked(owned).flatMap(([database, name]) => {
    const place = knownName(database, name)
    const known = now(place)
    if (known === true || !certain(place)) return []
    const word = database === 'passwd' ? 'user' : 'group'
    const hint =
      known.nearest === null ? `Make it in an earlier task: ${word}('${name}')` : `Did you mean ${known.nearest}?`
    return [refuse(`There is no ${word} ${name} on this host.`, hint)]
  })
}

function asked({ owner, group }: Owner): readonly (readonly [Database, string])[] {
  const pairs = [['passwd', owner] as const, ['group', group] as const]
  return pairs.flatMap(([database, name]) => {
    return name === undefined || name === 'root' || /^\+?\d+$/.test(name) ? [] : [[database, name] as const]
  })
}

/**
 * A letter for each name; where one is not known, the names in the host's own files follow. Only a status of 2 says that a
 * name is not known: without getent, or where it fails, chown will tell.
 */
const knownNames: Collector<string, Known> = {
  name: 'known names',
  ask: (names) => sh`near=
set -- ${names.flatMap(parts)}
while [ $# -gt 0 ]; do
  getent "$1" "$2" >/dev/null 2>&1
  case $? in 2) near=1; printf n ;; *) printf y ;; esac
  shift 2
done
echo
[ "$near" ] || exit 0
for d in passwd group; do
  while IFS=: read -r n _; do printf '%s/%s\n' "$d" "$n"; done </etc/$d
done 2>/dev/null
exit 0`,
  answers: parseKnown,
}

function parseKnown(output: Output, names: readonly string[]): readonly Known[] {
  const [letters = '', ...lines] = output.stdout.toString().split('\n')
  if (output.status !== 0 || letters.length !== names.length) throw unparsable('known names', output)
  return names.map((asked, i) => {
    if (letters[i] === 'y') return true
    const [database, name] = parts(asked)
    const others = lines.flatMap((line) => (line.startsWith(`${database}/`) ? [line.slice(database.length + 1)] : []))
    return {
      nearest:
        nearest(
          name,
          others.filter((other) => /^[^+#-]/.test(other)),
        ) ?? null,
    }
  })
}

function parts(asked: string): readonly [database: string, name: string] {
  const at = asked.indexOf('/')
  return [asked.slice(0, at), asked.slice(at + 1)]
}
