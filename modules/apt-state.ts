/** What dpkg and apt know of packages: one `dpkg-query` for all; apt is asked only where something may have to be done. */

import type { Parsed } from '../dsl/units.ts'
import { Failure } from '../errors/failure.ts'
import { type Collector, type Output, Probe, tail, unparsable } from '../probe/probe.ts'
import { type Script, sh } from '../shell/script.ts'
import { type Apt, type ListsAge, parseApt, type Part, sectionsOf } from './apt-answer.ts'

/** What is asked of a package. What is wished of it decides how much must be known. */
export interface PackageQuestion {
  readonly name: string
  readonly wish: 'installed' | 'latest' | 'absent' | 'nothing'
  readonly version?: string | undefined
}

/** A package that is there: installed; or, with a state in dpkg's words, on the way and not usable. */
export interface InstalledPackage {
  readonly version: string
  readonly state?: 'half-installed' | 'unpacked' | 'half-configured' | 'triggers-awaited' | 'triggers-pending'
}

/** What apt would do and knows, where it was asked. */
export interface PackageDetails {
  readonly isHeld: boolean
  /** `unasked` where there was nothing to do. */
  readonly known: 'yes' | 'no' | 'virtual' | 'unasked'
  /** The version that apt would install. */
  readonly candidate: string | null
  readonly versions: readonly string[]
  /** Packages that provide a virtual one. */
  readonly providers: readonly string[]
  /** For an unknown name, one that was probably meant is among these. */
  readonly alike: readonly string[]
  readonly lists: ListsAge | null
  /** Other packages that apt would remove. */
  readonly removes: readonly string[]
  /** Why apt cannot do it, in its own words. */
  readonly problem: string | null
}

export interface PackageRecord {
  readonly state: InstalledPackage | null
  /** The version whose configuration files were left behind. */
  readonly remains: string | null
  readonly details: PackageDetails
}

export function packageRecord(question: PackageQuestion): Probe<PackageRecord> {
  return Probe.of(packages, question)
}

/**
 * The name of a package of the host's own architecture.
 *
 * @see https://www.debian.org/doc/debian-policy/ch-controlfields.html#source
 */
export function packageName(name: string): Parsed<string> {
  // apt-get takes `nginx-` for «remove nginx».
  if (/^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$/.test(name)) return name
  const hint = name.includes('=') ? '; a version is said by .version()' : ''
  return {
    problem: `${JSON.stringify(name)} is not the name of a package: lower-case letters, digits and + - .${hint}`,
  }
}

/** Sets `age`: seconds since apt-get update, `none` without lists, `changed` where a file of sources is newer. */
export const listsAge: Script = sh`age=none
for f in /var/lib/apt/lists/*Packages*; do [ ! -e "$f" ] || { age=; break; }; done
for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  [ "$age" ] || [ ! "$f" -nt /var/lib/apt/lists ] || age=changed
done
[ "$age" ] || age=$(($(date +%s) - $(stat -c %Y /var/lib/apt/lists)))`

const format = `${['Package', 'Architecture', 'db:Status-Want', 'db:Status-Status', 'Version'].map((field) => `\${${field}}`).join(' ')}\\n`

const packages: Collector<PackageQuestion, PackageRecord> = {
  name: 'package',
  // Of each question apt is asked by: what makes the question superfluous where dpkg has it, the name, and what apt would be given.
  // `-` is never had. An apt-cache costs as much as all the rest, so it is asked once, and only where something may be done.
  ask: (questions) => sh`nl='
' native= have=' ' ask= gone=
[ ! -r /var/lib/dpkg/arch ] || read -r native </var/lib/dpkg/arch
status=$(dpkg-query -W -f ${format} -- ${names(questions)} 2>"$FLEETPLAY_TMP/dpkg")
s=$?
[ $s -le 1 ] || { cat "$FLEETPLAY_TMP/dpkg" >&2; exit $s; }
printf '# dpkg %s\n%s\n' "$native" "$status"
while read -r p a _ s v; do
  [ "$s" = installed ] || continue
  [ "$native" ] || a=
  case $a in "$native" | all) have="$have$p $p=$v " ;; esac
done <<END
$status
END
set -- ${questions.filter(({ wish }) => wish === 'installed' || wish === 'latest').flatMap(needed)}
while [ $# -gt 0 ]; do
  case $have in *" $1 "*) ;; *) ask="$ask $2 $3" ;; esac
  shift 3
done
for p in ${questions.filter(({ wish }) => wish === 'absent').map(({ name }) => name)}; do
  case $have in *" $p "*) gone="$gone $p" ;; esac
done
if [ "$ask" ]; then
  ${listsAge}
  echo "# lists $age"
  known= virtual= unknown= p=
  set -- $ask
  while [ $# -gt 0 ]; do p="$p $1"; shift 2; done
  policy=$(apt-cache policy $p)
  printf '# policy\n%s\n' "$policy"
  set -- $ask
  while [ $# -gt 0 ]; do
    case $nl$policy$nl in
      *"$nl$1:$nl  Installed: (none)$nl  Candidate: (none)$nl"*) virtual="$virtual $1" ;;
      *"$nl$1:$nl"*) known="$known $2" ;;
      *) unknown="$unknown $1" ;;
    esac
    shift 2
  done
  [ -z "$virtual" ] || { echo '# provides'; apt-cache showpkg $virtual; }
  [ -z "$unknown" ] || { echo '# names'; apt-cache pkgnames | grep -E ${alike(questions)}; }
  [ -z "$known" ] || { echo '# install'; apt-get -s -qq -y --allow-downgrades install $known 2>&1; }
fi
[ -z "$gone" ] || { echo '# remove'; apt-get -s -qq -y remove $gone 2>&1; }
exit 0`,
  answers: (output, questions) => {
    if (output.status !== 0) return questions.map(() => unanswered(output))
    const parts = sectionsOf(output.stdout.toString())
    const dpkg = parts.get('dpkg')
    if (!dpkg) return questions.map(({ name }) => unparsable(`the package ${name}`, output))
    const apt = parseApt(parts)
    const going = questions.filter(({ wish }) => wish === 'absent').map(({ name }) => name)
    return questions.map((question) => record(question, dpkg, apt, going))
  },
}

function names(questions: readonly PackageQuestion[]): readonly string[] {
  return [...new Set(questions.map(({ name }) => name))]
}

function needed({ name, wish, version }: PackageQuestion): readonly string[] {
  const given = version === undefined ? name : `${name}=${version}`
  return [wish === 'latest' ? '-' : given, name, given]
}

/** One slip of the keyboard away from a name: a letter other, missing or too many, or two that changed places. */
function alike(questions: readonly PackageQuestion[]): string {
  const plain = (text: string) => text.replace(/[.+]/g, '[$&]')
  const slips = names(questions).flatMap((name) =>
    Array.from({ length: name.length + 1 }).flatMap((_, i) => [
      `${plain(name.slice(0, i))}.{0,2}${plain(name.slice(i + 1))}`,
      `${plain(name.slice(0, i))}..${plain(name.slice(i + 2))}`,
    ]),
  )
  return `^(${[...new Set(slips)].join('|')})$`
}

function record(
  { name, wish, version }: PackageQuestion,
  dpkg: Part,
  apt: Apt,
  going: readonly string[],
): PackageRecord {
  const entry = entryOf(name, dpkg)
  const state = entry ? stateOf(entry) : null
  const policy = apt.policies.get(name)
  const isAsked =
    policy !== undefined ||
    ((wish === 'installed' || wish === 'latest') && apt.lists !== null && !isThere(state, wish, version))
  const isVirtual = policy?.candidate === null && policy.versions.length === 0
  const simulation = wish === 'absent' ? apt.remove : apt.install
  return {
    state,
    remains: entry?.status === 'config-files' ? entry.version : null,
    details: {
      isHeld: entry?.want === 'hold',
      known: !isAsked ? 'unasked' : !policy ? 'no' : isVirtual ? 'virtual' : 'yes',
      candidate: policy?.candidate ?? null,
      versions: policy?.versions ?? [],
      providers: apt.providers.get(name) ?? [],
      alike: isAsked && !policy ? apt.names : [],
      lists: apt.lists,
      removes: simulation.removes.filter((other) => !going.includes(other)),
      problem: simulation.problem,
    },
  }
}

function isThere(state: InstalledPackage | null, wish: PackageQuestion['wish'], version: string | undefined): boolean {
  return (
    state !== null &&
    state.state === undefined &&
    wish !== 'latest' &&
    (version === undefined || state.version === version)
  )
}

interface Entry {
  readonly want: string
  readonly status: string
  readonly version: string
}

/** Where dpkg has packages of several architectures, it names its own in a file. */
function entryOf(name: string, { rest: native, lines }: Part): Entry | undefined {
  const found = lines
    .map((line) => line.split(' ') as [string, string, string, string, string | undefined])
    .find(([named, architecture]) => named === name && (native === '' || ['all', '', native].includes(architecture)))
  return found && { want: found[2], status: found[3], version: found[4] ?? '' }
}

/** A name that others only provide, or once had, has an entry without an architecture: `x  unknown not-installed `. */
function stateOf({ status, version }: Entry): InstalledPackage | null {
  if (status === 'installed') return { version }
  if (status === 'config-files' || status === 'not-installed') return null
  return { version, state: status as NonNullable<InstalledPackage['state']> }
}

function unanswered({ status, stderr }: Output): Failure {
  return new Failure('E_UNREADABLE', 'dpkg does not answer on this host.', {
    hint: status === 127 ? 'This module is for Debian and its children.' : undefined,
    seen: { command: 'dpkg-query -W', status, output: tail(stderr) },
  })
}
