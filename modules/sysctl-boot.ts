/** Which kernel parameters the next boot sets: the assignments of all sysctl.d files in the order of systemd-sysctl. */

import type { Resource } from '../dsl/resource.ts'
import { isProblem } from '../dsl/variable.ts'
import { Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'
import { keyName } from './kernel-parameter.ts'
import { oneSpaced } from './sysctl-keys.ts'

/** A line of a file that is read at boot. */
export interface BootLine {
  /** Path of the file. */
  readonly file: string
  /** Key by its one name. */
  readonly key: string
  /** As a kernel would print it; null where the line excludes the key (`-net.core.rmem_max`). */
  readonly value: string | null
}

/**
 * Assignments by name, in the order in which they are done at boot: by base name over the four directories; of one name the
 * first directory wins, and an empty file or a link to /dev/null silences the others. Patterns are left out:
 * systemd-sysctl (252 and 262) never lets one override a key that is said by name, wherever either stands.
 *
 * @see sysctl.d(5)
 */
export const bootLines: Resource<readonly BootLine[]> = {
  key: 'sysctl.d:all',
  label: 'sysctl.d',
  read: Probe.script(
    sh`set --
for f in /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf; do
  [ -e "$f" ] || [ -L "$f" ] || continue
  printf '%s\n' "$f"
  [ ! -f "$f" ] || set -- "$@" "$f"
done
echo
[ $# -eq 0 ] || grep -sH '^[[:space:]]*[^#;[:space:]]' -- "$@"
exit 0`,
    (output) => {
      const [names, lines] = output.stdout.toString().split('\n\n')
      if (output.status !== 0 || names === undefined) throw unparsable('sysctl.d', output)
      return parseBootLines(names.split('\n').filter(Boolean), (lines ?? '').split('\n').filter(Boolean))
    },
  ),
  show: (lines) => `${lines.length} assignments`,
  fresh: [],
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Takes the paths of the files, those of the first directory first, and their lines as `PATH:LINE`. */
function parseBootLines(paths: readonly string[], lines: readonly string[]): readonly BootLine[] {
  const winners = new Map<string, string>()
  for (const path of paths) if (!winners.has(baseName(path))) winners.set(baseName(path), path)
  const order = [...winners.keys()].sort((a, b) => (a < b ? -1 : 1))
  return order.flatMap((name) => {
    const file = winners.get(name)!
    return lines
      .filter((line) => line.startsWith(`${file}:`))
      .flatMap((line) => bootLine(file, line.slice(file.length + 1)))
  })
}

function bootLine(file: string, line: string): BootLine[] {
  const [, dash, name, assigned] = /^\s*(-?)([^=]*?)\s*(?:=(.*))?$/.exec(line) ?? []
  if (name === undefined || (!dash && assigned === undefined)) return []
  const key = keyName(name.trim())
  return isProblem(key) ? [] : [{ file, key, value: assigned === undefined ? null : asKernelReads(assigned) }]
}

/** The kernel takes numbers of any base, and leaves off what stands behind one. */
function asKernelReads(text: string): string {
  const words = oneSpaced(text.replace(/\s[#;].*$/, '')).split(' ')
  if (!words.every((word) => /^-?(0x[\da-f]+|\d+)$/i.test(word))) return oneSpaced(text)
  return words.map((word) => String(/^0[0-7]+$/.test(word) ? Number.parseInt(word, 8) : Number(word))).join(' ')
}
