/** A wp-config.php as a place: its secrets are not shown, and PHP tests a new text beside it before the rename. */

import { basename, dirname, join } from 'node:path/posix'
import type { Resource } from '../../dsl/resource.ts'
import { bytesOf, type FileState } from '../../probe/file.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import { covered } from '../../shell/secret-text.ts'
import { fileAt } from '../file.ts'
import { unchanged } from '../file-write.ts'
import { phpTokens } from './php-tokens.ts'

/** A PHP file of which a part is written. It is written only while it is as it was read, and where `php -l` takes the new text. */
export function configFile(path: string, options: { readonly sensitive?: boolean } = {}): Resource<FileState> {
  const place = fileAt(path, undefined, options)
  return {
    ...place,
    text: (value) => {
      const text = place.text!(value)
      return text === undefined ? undefined : withoutSecrets(text)
    },
    write: (to, from) => {
      const isText = to.type === 'file' && from.type === 'file' && bytesOf(to.content) !== undefined
      return isText ? lines(unchanged(path, from).touches(), tested(path, to)) : place.write!(to, from)
    },
  }
}

/**
 * The new text beside its place, which only the writer may read until PHP has taken it: it holds the site's password. Its
 * name ends with `.php`, so that a web server that is asked for it sends nothing of it.
 */
function tested(path: string, to: FileState & { type: 'file' }): Script {
  const aside = join(dirname(path), `.${basename(path, '.php')}.fleetplay.php`)
  return sh`# php -l, with ${path}
p=${path} t=${aside}
command -v php >/dev/null || { echo 'There is no php on this host to test the new text with; nothing was written.' >&2; exit 1; }
rm -f -- "$t" || exit
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
umask 077
set -C
exec 4>"$t" || exit
dd bs=65536 conv=fsync status=none >&4 || exit
said=$(php -d display_errors=1 -d log_errors=0 -d html_errors=0 -l <"$t" 2>&1) || {
  # What PHP did not expect may be a password; of its own signs it says «token».
  said=$(printf '%s\n' "$said" | sed ${coverWords})
  printf '%s\n' "$said" >&2
  printf 'PHP refused the new text, and it was not put in place: %s\n' "$(printf '%s\n' "$said" | sed -n '/ error: /{s/^PHP //; s|in .* on line|on line|; p; q; }')" >&2
  exit 1
}
chown -- ${`${to.owner}:${to.group}`} /proc/self/fd/4 && chmod -- ${to.mode} /proc/self/fd/4 && mv -fT -- "$t" "$p" && trap - EXIT`
    .reading(bytesOf(to.content)!)
    .called(`write ${path}`)
    .touches()
}

/** For sed: words of PHP without the text that it did not expect. */
const coverWords = ['/unexpected token "/b', covering('", expecting'), 't', covering('" in ')].join('\n')

function covering(end: string): string {
  return String.raw`s/\(unexpected [a-z -]*\) ".*${end}/\1 "${covered}${end}/`
}

/** The text with every value of a secret constant or variable covered: a diff shows lines around a change too. */
function withoutSecrets(text: string): string {
  let live
  try {
    live = phpTokens(text)
  } catch {
    // What is not understood is not written either; nothing of it is shown.
    return ''
  }
  let isSecret = false
  return live
    .map((token) => {
      if (token.kind === 'string' && secretName.test(token.text.slice(1, -1))) isSecret = true
      else if ((token.kind === 'variable' || token.kind === 'name') && secretName.test(token.text)) isSecret = true
      else if (token.text === ';' || token.kind === 'close') isSecret = false
      else if (isSecret && ['string', 'template', 'heredoc', 'number'].includes(token.kind)) return `'${covered}'`
      return token.text
    })
    .join('')
}

export const secretName = /^\$?\w*(?:PASSWORD|PASSWD|_PASS$|SECRET|TOKEN|_SALT$|_KEY$)\w*$/i
