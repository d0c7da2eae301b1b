/** Scripts that move packages with apt-get, and say in its own words why one did not move. */

import { lines, type Script, sh } from '../shell/script.ts'
import { listsAge } from './apt-state.ts'

/** How apt-get is run for the packages of a task. */
export interface AptRun {
  /** All packages of the task: the first that has to be moved takes the others along, in one run of apt-get. */
  readonly names: readonly string[]
  readonly recommends: boolean
  /** Seconds that the lists may be old before something is installed; undefined where they are taken as they are. */
  readonly refresh: number | undefined
}

const status = '${db:Status-Status} ${Version} \\n'

/**
 * - `is NAME STATUS` holds where dpkg has the package in a state that begins so: `'installed 1.0'`.
 * - `run ARGUMENT…` is apt-get: asks nothing, keeps changed configuration files, waits five minutes for another to finish.
 *   needrestart only lists what should be restarted: what restarts is said in the play.
 * - where it fails, its words are told, and last the line that says why: dpkg's reason, or who holds the lock.
 */
const apt: Script = sh`nl='
'
is() {
  case $nl$(dpkg-query -W -f ${status} -- "$1" 2>/dev/null) in *"$nl$2 "*) ;; *) return 1 ;; esac
}
run() {
  out=$(DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none apt-get -qq -y \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o APT::Cmd::Pattern-Only=true -o APT::Update::Error-Mode=any \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" 2>&1) && return
  s=$?
  printf '%s\n' "$out" | grep -v -e '^(Reading database' -e '^debconf: ' >&2
  case $out in *' lock '*)
    for f in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
      i=$(stat -c %i -- "$f") || continue
      while read -r _ kind _ _ pid at _; do
        case $kind:$at in POSIX:*:"$i") read -r name <"/proc/$pid/comm"; echo "$f is held by process $pid ($name)" ;; esac
      done </proc/locks
    done >&2 ;;
  esac
  printf '%s\n' "$out" | sed -n '/^dpkg: error processing/{N;s/^dpkg: error processing \(.*\):\n */\1: /;p;}' >&2
  exit $s
}`

/** Installs those of the task's packages that are missing. */
export function installMissing(name: string, how: AptRun): Script {
  return lines(
    apt,
    sh`! is ${name} installed || exit 0`,
    ...refreshed(how),
    sh`set --
for p in ${how.names}; do is "$p" installed || set -- "$@" "$p"; done
run install ${recommends(how)} "$@"`,
  ).called(`apt-get install ${how.names.join(' ')}`)
}

export function installVersion(name: string, version: string, how: AptRun): Script {
  return lines(
    apt,
    ...refreshed(how),
    sh`run install --allow-downgrades ${recommends(how)} ${`${name}=${version}`}`,
  ).called(`apt-get install ${name}=${version}`)
}

/** Brings those of the task's packages that are installed to the version that apt would install. */
export function upgrade(name: string, how: AptRun): Script {
  return lines(
    apt,
    ...refreshed(how),
    sh`installed= candidate=
while read -r k v; do case $k in Installed:) installed=$v ;; Candidate:) candidate=$v ;; esac; done <<END
$(apt-cache policy ${name})
END
[ "$installed" != "$candidate" ] || exit 0
run install --only-upgrade ${recommends(how)} ${how.names}`,
  ).called(`apt-get install --only-upgrade ${how.names.join(' ')}`)
}

/** Removes those of the packages that are there; or, purging, those of which there is anything. */
export function remove(name: string, names: readonly string[], purge: boolean): Script {
  const nothing = purge ? sh`'' | not-installed` : sh`'' | not-installed | config-files`
  return lines(
    apt,
    sh`gone() {
  while read -r s _; do case $s in ${nothing}) ;; *) return 1 ;; esac; done <<END
$(dpkg-query -W -f ${status} -- "$1" 2>/dev/null)
END
}`,
    sh`! gone ${name} || exit 0
set --
for p in ${names}; do gone "$p" || set -- "$@" "$p"; done
run ${purge ? 'purge' : 'remove'} "$@"`,
  ).called(`apt-get ${purge ? 'purge' : 'remove'} ${names.join(' ')}`)
}

function refreshed({ refresh }: AptRun): readonly Script[] {
  if (refresh === undefined) return []
  const update = sh`case $age in
  none | changed) run update ;;
  *) [ "$age" -le ${Math.round(refresh)} ] || run update ;;
esac`
  return [listsAge, update]
}

function recommends({ recommends }: AptRun): readonly string[] {
  return recommends ? [] : ['--no-install-recommends']
}
