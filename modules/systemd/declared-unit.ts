/** Unit files that systemd has accepted, and from which what runs has been started: a refused one never stays. */

import { basename, dirname, join } from 'node:path/posix'
import type { Resource } from '../../dsl/resource.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'
import { control } from '../unit-control.ts'

const folder = '/etc/systemd/system'

export function unitPath(name: string): string {
  return `${folder}/${name}`
}

/**
 * The file of a whole unit of our own. A write checks it with `systemd-analyze verify`, which also tells of the values that systemd
 * would ignore, has systemd read it, and, where that is said, restarts what runs from the old one. Where it is refused or does not
 * come up, the file before is put back and what ran runs again.
 *
 * Only then does the file get its mode: after a write that was cut, the next run sees another mode, and does it again.
 */
export function declaredUnit(
  name: string,
  text: string,
  { restarts }: { readonly restarts: boolean },
): Resource<FileState> {
  const path = unitPath(name)
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => {
      const script =
        to.type === 'file'
          ? // The content is always written: the file before may be put back first.
            accepted(name, place.write!({ ...to, mode: unfinished }, { type: 'absent' }), to.mode, {
              // What was there before is put back as it was.
              checks: 'text' in to.content && to.content.text === text,
              restarts,
            })
          : removed(name, place.write!(to, from))
      return script.touches(`unit:${name}`, `unit:${name}/*`, `file:${dirname(path)}/`)
    },
  }
}

/** The mode of a file that systemd has not accepted yet. It warns in its log of one that not everybody can read. */
const unfinished = '0664'

function removed(name: string, change: Script): Script {
  const script = sh`(
${change}
) || exit
systemctl daemon-reload || exit
systemctl reset-failed -- ${name} 2>/dev/null
exit 0`
  return carrying(script, change).called(`rm ${unitPath(name)}; systemctl daemon-reload`)
}

function accepted(
  name: string,
  change: Script,
  mode: string,
  { checks, restarts }: { readonly checks: boolean; readonly restarts: boolean },
): Script {
  const path = unitPath(name)
  const kept = join(dirname(path), `.${basename(path)}.kept`)
  const script = lines(
    control,
    sh`u=${name} p=${path} kept=${kept}
back() {
  case $(readlink -- "$kept") in
    fleetplay:absent) rm -f -- "$p" "$kept" ;;
    *) mv -fT -- "$kept" "$p" ;;
  esac
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
if there "$kept"; then back || exit; fi
if there "$p"; then cp -Pp -- "$p" "$kept.part" && mv -fT -- "$kept.part" "$kept"; else ln -sT -- fleetplay:absent "$kept"; fi || exit
trap back EXIT
trap 'exit 1' HUP INT TERM
(
${change}
) || exit`,
    checks ? checked : sh`:`,
    sh`systemctl daemon-reload || exit`,
    restarts ? restarted : sh`:`,
    sh`trap - EXIT
rm -f -- "$kept" && chmod -- ${mode} "$p"`,
  )
  return carrying(script, change).called(`write ${path}; systemctl daemon-reload`)
}

/** A value that systemd cannot read it ignores, with a line in its log: here it is a mistake, like one that it refuses. */
const checked: Script = sh`said=$(systemd-analyze verify --man=no "$p" 2>&1 | while IFS= read -r l; do
  case $l in "$p:"* | "$u: "* | "Unit $u "*) printf '%s\n' "$l" ;; esac
done)
if [ -n "$said" ]; then
  printf '%s\n%s\n' "$said" "systemd does not take this unit as it is: $(printf '%s\n' "$said" | head -n 1)" >&2
  exit 1
fi`

/** What waits to be started again after a crash is left to the start that follows; what is just starting, to its end. */
const restarted: Script = sh`look "$u"
case $active in active | reloading | refreshing)
  if ! { go restart "$u" && settle "$u"; }; then
    (words "$u")
    trap - EXIT
    back
    systemctl daemon-reload
    if go restart "$u" && settle "$u"; then now='runs again'; else now='does not run either'; fi
    printf '%s\n' "$u does not come up with the new unit. The one before was put back, and $now." >&2
    exit 1
  fi ;;
esac`

/** A script with the standard input of the one that is spliced into it. */
function carrying(script: Script, { input }: Script): Script {
  return input === undefined ? script : script.reading(input)
}
