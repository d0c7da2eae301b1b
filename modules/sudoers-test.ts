/** sudo's own test of its rules, for those who write the files by other tasks. */

import { configTest, type Guard } from '../dsl/guard.ts'
import { sh } from '../shell/script.ts'

/**
 * The test of sudo's rules (`visudo -c`), for `.guardedBy()`: what the task wrote is put back where sudo would refuse it, in
 * visudo's own words. It looks at the whole of `/etc/sudoers` and all that it includes, and at owners and modes: a file must be
 * of root, with the mode 0440.
 *
 * With a path it fails too where sudo does not read that file, which nobody would tell: in `/etc/sudoers.d` a name with a dot
 * in it, or a `~` at its end, is passed over. sudo reads its rules at every call, so they act at once.
 *
 * @example
 * const path = '/etc/sudoers.d/50-deploy'
 * file(path).content('deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx\n').mode('0440').guardedBy(sudoersTest(path))
 * @see visudo(8), sudoers(5)
 */
export function sudoersTest(path?: string): Guard {
  const unread = `sudo does not read ${path}: is its name without a dot and a ~, in a folder that /etc/sudoers includes?`
  const read =
    path === undefined
      ? sh`:`
      : sh`[ ! -e ${path} ] || printf '%s\n' "$said" | grep -qxF -e ${`${path}: parsed OK`} || {
  echo ${unread} >&2
  exit 1
}`
  return configTest(
    'visudo -c',
    // Where it is stands first: `/etc/sudoers.d/50-deploy:1:10: syntax error`, and below it the line with a mark.
    sh`PATH=$PATH:/usr/sbin
said=$(visudo -c 2>&1) || {
  printf '%s\n' "$said" | grep -v ': parsed OK$' >&2
  printf '%s\n' "$said" | grep -m 1 -e '^/.*:[0-9]*:[0-9]*: ' -e ' should be ' >&2
  exit 1
}
${read}`,
  )
}
