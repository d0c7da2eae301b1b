/** sshd's own test of its configuration, for those who write the files by other tasks. */

import { configTest, type Guard } from '../dsl/guard.ts'
import { sh } from '../shell/script.ts'

/**
 * sshd's test of its configuration (`sshd -t`), for `.guardedBy()`: what the task wrote is put back where sshd refuses it, in
 * its own words. It needs host keys, and makes `/run/sshd` for its time where sshd does not run.
 *
 * A Match block is tried as well, for a login of root from the host itself: `sshd -t` alone takes a criterion that none fits.
 * No test can tell that you would still get in (`AllowUsers nobody` is fine for sshd): that is what `deadMansSwitch()` is for.
 *
 * @param effective settings that sshd must have in the end, as it would be written in the file. The first that says a setting
 * wins, and `sshd_config.d/*.conf` is read before the rest, in the order of the names: a file may be without effect.
 * @example
 * file('/etc/ssh/sshd_config.d/10-fleet.conf').content('PermitRootLogin no\n')
 *   .guardedBy(sshdTest('PermitRootLogin no')).notify(reload('ssh'))
 * @see sshd(8), sshd_config(5)
 */
export function sshdTest(...effective: readonly string[]): Guard {
  const expected = effective.map((setting) => {
    const [keyword = ''] = setting.trim().split(/\s+/)
    const other = `is not in effect: the first that says it wins, and another file is read before.`
    return sh`printf '%s\n' "$said" | grep -qixF -e ${setting.trim().replaceAll(/\s+/g, ' ')} || {
  printf '%s\n' "$said" | grep -i -e ${`^${keyword} `} | sed 's/^/sshd would have: /' >&2
  echo ${`${setting.trim()} ${other}`} >&2
  exit 1
}`
  })
  const all = expected.reduce(
    (before, each) => sh`${before}
${each}`,
    tested,
  )
  return configTest('sshd -t', all)
}

/** What was wrong first stands last. The lines of sshd end as those of a terminal. */
const tested = sh`PATH=$PATH:/usr/sbin
s=$(command -v sshd) || { echo 'there is no sshd on this host' >&2; exit 127; }
ask() {
  said=$("$s" "$@" 2>&1)
  r=$?
  said=$(printf '%s\n' "$said" | tr -d '\r')
  return $r
}
ask -t || {
  d=$(printf '%s\n' "$said" | sed -n 's/^Missing privilege separation directory: //p')
  [ "$d" ] && mkdir -m 0755 -- "$d" && trap 'rmdir -- "$d"' EXIT && ask -t
} && ask -T -C user=root,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22 || {
  printf '%s\n' "$said" | grep -v -e ' terminating, ' -e ' Deprecated option ' | sed '1!G; h; $!d' >&2
  exit 1
}`
