/** Paths on hosts, written in one way only: a place has one name, so that two tasks that mean it meet. */

import { posix } from 'node:path'

/** The longest name in a folder and the longest path that Linux takes, in bytes. */
const longestName = 255
const longestPath = 4095

/** What is wrong with a path on a host; undefined where it is absolute and written plainly. */
export function pathProblem(path: string): string | undefined {
  const shown = JSON.stringify(path)
  if (!path.startsWith('/')) return `the path ${shown} must be absolute`
  if (path.includes('\0')) return `the path ${shown} holds a NUL byte`
  if (path === '/') return 'the path is the root directory'
  const plain = posix.normalize(path).replace(/\/$/, '')
  if (plain !== path) return `write the path ${shown} as ${JSON.stringify(plain)}`
  const long = path.split('/').find((name) => Buffer.byteLength(name) > longestName)
  if (long) return `the name ${JSON.stringify(long)} is longer than ${longestName} bytes`
  if (Buffer.byteLength(path) > longestPath) return `the path is longer than ${longestPath} bytes`
  return undefined
}

/** The directories above a path, from the top down, without the root. */
export function parentsOf(path: string): readonly string[] {
  const names = path.split('/').slice(1, -1)
  return names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`)
}
