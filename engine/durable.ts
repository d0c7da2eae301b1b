/** What was renamed into its place stays there over a power cut only when its directory is on the disk. */

import { dirname } from 'node:path/posix'
import type { AnyResource } from '../dsl/resource.ts'
import { Probe } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

/** A question whose answer comes when the directories of files are on the disk; for all of them one process more. */
export function onDisk(places: readonly AnyResource[]): readonly AnyResource[] {
  const files = places.flatMap(({ key }) => (key.startsWith('file:/') ? [key.slice('file:'.length)] : []))
  const directories = [...new Set(files.map((path) => dirname(path)))]
  if (directories.length === 0) return []
  // A directory may be gone, with what was in it; and not every busybox takes names.
  const wait = sh`set --
for d in ${directories}; do [ ! -d "$d" ] || set -- "$@" "$d"; done
[ $# -eq 0 ] || sync "$@" 2>/dev/null || sync`
  return [{ key: 'on-disk', label: 'the disk', read: Probe.script(wait, () => null), fresh: null }]
}
