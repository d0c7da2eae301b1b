/** Lines of configuration that comes in files of several folders, in the order in which systemd's programs read them. */

import { Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

export interface LayeredLine {
  /** Path of the file. */
  readonly file: string
  readonly line: string
}

/**
 * Lines that are neither empty nor comments, of the files `*.conf` of a folder such as `sysctl.d`: by base name over /etc,
 * /run, /usr/local/lib and /usr/lib; of one name the first folder wins, and an empty file or a link to /dev/null silences the
 * others.
 *
 * @see systemd.unit(5), sysctl.d(5)
 */
export function layeredLines(folder: string): Probe<readonly LayeredLine[]> {
  const [etc, run, local, usr] = ['/etc', '/run', '/usr/local/lib', '/usr/lib'].map((top) => `${top}/${folder}`)
  return Probe.script(
    sh`set --
for f in ${etc!}/*.conf ${run!}/*.conf ${local!}/*.conf ${usr!}/*.conf; do
  [ -e "$f" ] || [ -L "$f" ] || continue
  printf '%s\n' "$f"
  [ ! -f "$f" ] || set -- "$@" "$f"
done
echo
[ $# -eq 0 ] || grep -sH '^[[:space:]]*[^#;[:space:]]' -- "$@"
exit 0`,
    (output) => {
      const [names, lines] = output.stdout.toString().split('\n\n')
      if (output.status !== 0 || names === undefined) throw unparsable(folder, output)
      return inOrder(names.split('\n').filter(Boolean), (lines ?? '').split('\n').filter(Boolean))
    },
  )
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Takes the paths of the files, those of the first folder first, and their lines as `PATH:LINE`. */
function inOrder(paths: readonly string[], lines: readonly string[]): readonly LayeredLine[] {
  const winners = new Map<string, string>()
  for (const path of paths) if (!winners.has(baseName(path))) winners.set(baseName(path), path)
  const order = [...winners.keys()].sort((a, b) => (a < b ? -1 : 1))
  return order.flatMap((name) => {
    const file = winners.get(name)!
    return lines
      .filter((line) => line.startsWith(`${file}:`))
      .map((line) => ({ file, line: line.slice(file.length + 1) }))
  })
}
