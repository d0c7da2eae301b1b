/** A configuration file that HAProxy itself has accepted before it is in its place. */

import { basename, dirname, join } from 'node:path/posix'
import type { Resource } from '../dsl/resource.ts'
import type { FileState } from '../probe/file.ts'
import { type Script, sh } from '../shell/script.ts'
import { fileAt } from './file.ts'

/**
 * A configuration of HAProxy, whole in one file. HAProxy can test it beside its place, so that a refused one is never where
 * a start or a reload would find it.
 *
 * @see haproxy(1)
 */
export function haproxyFile(path: string): Resource<FileState> {
  const place = fileAt(path)
  return {
    ...place,
    write: (to, from) => (to.type === 'file' ? acceptedByHaproxy(path, to) : place.write!(to, from)),
  }
}

function acceptedByHaproxy(path: string, to: FileState): Script {
  const aside = join(dirname(path), `.${basename(path)}.new`)
  const change = fileAt(aside).write!(to, { type: 'absent' })
  const script = sh`# haproxy -c, with ${path}
p=${path} t=${aside}
(
${change}
) || exit
trap 'rm -f -- "$t"' EXIT
alerts() {
  printf '%s\n' "$1" | sed -n "s|$t|$p|g; s/^\[ALERT\] *([0-9]*) : config : //p" | grep -v -e '^Error(s) found' -e '^Fatal errors' || printf '%s\n' "$1"
}
if said=$(haproxy -c -f "$t" 2>&1); then mv -fT -- "$t" "$p"; exit; fi
alerts "$said" | sed 1d >&2
was=
if [ -e "$p" ] && ! haproxy -c -f "$p" >/dev/null 2>&1; then was=' (It refuses the one that is there too.)'; fi
printf 'HAProxy refused this configuration, and it was not put in place: %s%s\n' "$(alerts "$said" | head -n 1)" "$was" >&2
exit 1`.called(`haproxy -c, with ${path}`)
  return (change.input === undefined ? script : script.reading(change.input)).touches(...(change.touched ?? []))
}
