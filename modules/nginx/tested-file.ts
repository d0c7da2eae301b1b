/** Configuration files that the daemon itself has accepted: a refused one never stays. */

import { basename, dirname, join } from 'node:path/posix'
import type { Resource } from '../../dsl/resource.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'

/**
 * A file that nginx's configuration includes. nginx can only test the configuration as a whole and in its place, so the
 * content before is kept beside until nginx has accepted the new one, and only then does the file get its mode: after a
 * write that was cut, the next run sees another mode, and tests again.
 *
 * @see https://nginx.org/en/docs/switches.html
 */
export function nginxConfig(path: string): Resource<FileState> {
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => {
      if (to.type !== 'file') return acceptedByNginx(path, place.write!(to, from), sh`:`)
      // The content is always written: the file may be put back to the one before first.
      return acceptedByNginx(
        path,
        place.write!({ ...to, mode: untested }, { type: 'absent' }),
        sh`chmod -- ${to.mode} ${path}`,
      )
    },
  }
}

/** The mode of a file that nginx, which reads it as root, has not accepted yet. */
const untested = '0600'

/**
 * A file of systemd: a unit, or a drop-in whose folder is made. A new one is read by systemd when its unit is started or
 * reloaded; another content and a removal at once, and the unit that is named is restarted where it runs.
 */
export function systemdFile(path: string, restart?: string): Resource<FileState> {
  const place = fileAt(path)
  const folder = dirname(path)
  const isDropIn = folder.endsWith('.d')
  return {
    ...place,
    write: (to, from) => {
      const change = place.write!(to, from)
      const steps = [
        sh`(
${change}
) || exit`.called(`write ${path}`),
      ]
      if (isDropIn && to.type !== 'absent') steps.unshift(sh`mkdir -p -- ${folder} || exit`)
      if (isDropIn && to.type === 'absent') steps.push(sh`rmdir --ignore-fail-on-non-empty -- ${folder}`)
      if (from.type !== 'absent') steps.push(sh`systemctl daemon-reload || exit`.called('systemctl daemon-reload'))
      if (from.type === 'file' && to.type === 'file' && restart)
        steps.push(sh`systemctl try-restart -- ${restart}`.called(`systemctl try-restart ${restart}`))
      return carrying(lines(...steps), change).touches('unit:*')
    },
  }
}

function acceptedByNginx(path: string, change: Script, done: Script): Script {
  const kept = join(dirname(path), `.${basename(path)}.accepted`)
  const script = sh`# nginx -t, with ${path}
p=${path} kept=${kept}
conflicts() { printf '%s\n' "$1" | grep -c 'conflicting server name'; }
back() { if [ -L "$kept" ]; then rm -f -- "$p" "$kept"; else mv -fT -- "$kept" "$p"; fi; }
refuse() {
  trap - EXIT
  printf '%s\n' "$2" >&2
  said=$(printf '%s\n' "$2" | sed -n "s/^.*\[$3\] \([0-9]*#[0-9]*: \)\{0,1\}//p" | tail -n 1)
  printf '%s: %s\n' "$1" "$said" >&2
  exit 1
}
if [ -e "$kept" ] || [ -L "$kept" ]; then back || exit; fi
before=$(nginx -t 2>&1); was=$?
if [ -e "$p" ]; then cp -p -- "$p" "$kept.part" && mv -fT -- "$kept.part" "$kept"; else ln -sT -- absent "$kept"; fi || exit
trap back EXIT
trap 'exit 1' HUP INT TERM
(
${change}
) || exit
after=$(nginx -t 2>&1); is=$?
if [ $is -ne 0 ]; then
  back
  [ $was -eq 0 ] || refuse 'nginx refuses its configuration already without this change, which was not made' "$before" emerg
  refuse 'nginx refused this configuration, and it was put back' "$after" emerg
fi
if [ "$(conflicts "$after")" -gt "$(conflicts "$before")" ]; then
  back
  refuse 'nginx would ignore a server of this configuration, and it was put back' "$after" warn
fi
trap - EXIT
rm -f -- "$kept" || exit
${done}`.called(`nginx -t, with ${path}`)
  return carrying(script, change)
}

/** A script with the standard input and the touched places of the one that is spliced into it. */
function carrying(script: Script, { input, touched = [] }: Script): Script {
  return (input === undefined ? script : script.reading(input)).touches(...touched)
}
