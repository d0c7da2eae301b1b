/** Which kernel parameters the next boot sets: the assignments of all sysctl.d files in the order of systemd-sysctl. */

import type { Resource } from '../dsl/resource.ts'
import { isProblem } from '../dsl/variable.ts'
import { keyName } from './kernel-parameter.ts'
import { type LayeredLine, layeredLines } from './layered-files.ts'
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
 * Assignments by name, in the order in which they are done at boot. Patterns are left out: systemd-sysctl (252 and 262) never
 * lets one override a key that is said by name, wherever either stands.
 *
 * @see sysctl.d(5)
 */
export const bootLines: Resource<readonly BootLine[]> = {
  key: 'sysctl.d:all',
  label: 'sysctl.d',
  read: layeredLines('sysctl.d').map((lines) => lines.flatMap(bootLine)),
  show: (lines) => `${lines.length} assignments`,
  fresh: [],
}

/** The assignment in a line, where it is one. */
export function bootLine({ file, line }: LayeredLine): BootLine[] {
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
