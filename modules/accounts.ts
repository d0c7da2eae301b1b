/** The accounts and groups of a host itself: one `cat` for all of them. */

import type { Parsed } from '../dsl/units.ts'
import { Failure } from '../errors/failure.ts'
import { type Collector, type Output, Probe, tail, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

/** A line of /etc/passwd. */
export interface PasswdEntry {
  readonly uid: number
  readonly gid: number
  readonly comment: string
  readonly home: string
  readonly shell: string
}

/** A line of /etc/group. */
export interface GroupEntry {
  readonly gid: number
  readonly members: readonly string[]
}

export interface Accounts {
  readonly users: ReadonlyMap<string, PasswdEntry>
  readonly groups: ReadonlyMap<string, GroupEntry>
}

/** All accounts and groups in /etc/passwd and /etc/group. What LDAP or another service adds is not among them. */
export const accounts: Probe<Accounts> = Probe.of<'local', Accounts>(
  {
    name: 'accounts',
    // The empty line is for a file that does not end in a newline.
    ask: () => sh`cat /etc/passwd - /etc/group <<END

# group
END`,
    answers: (output) => [parseAccounts(output)],
  } satisfies Collector<'local', Accounts>,
  'local',
)

function parseAccounts(output: Output): Accounts | Failure {
  if (output.status !== 0) {
    return new Failure('E_UNREADABLE', 'The accounts of this host could not be read.', {
      seen: { command: 'cat /etc/passwd /etc/group', status: output.status, output: tail(output.stderr) },
    })
  }
  const [passwd, group] = output.stdout.toString().split('\n# group\n')
  if (passwd === undefined || group === undefined) return unparsable('accounts', output)
  return { users: new Map(entries(passwd, passwdEntry)), groups: new Map(entries(group, groupEntry)) }
}

/** The first line of a name counts, as it does for the host. Lines that are no entries (`+` of NIS, comments) are left out. */
function entries<T>(text: string, parse: (fields: readonly string[]) => T | undefined): [string, T][] {
  const all = text.split('\n').flatMap((line): [string, T][] => {
    const [name = '', ...fields] = line.split(':')
    const entry = name === '' || /^[+#-]/.test(name) ? undefined : parse(fields)
    return entry ? [[name, entry]] : []
  })
  return all.toReversed()
}

function passwdEntry([, uid = '', gid = '', comment = '', home = '', shell = '']: readonly string[]) {
  if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined
  // An empty shell is /bin/sh for every program that asks (passwd(5)), and it is kept as it stands.
  return { uid: Number(uid), gid: Number(gid), comment, home, shell }
}

function groupEntry([, gid = '', members = '']: readonly string[]) {
  return /^\d+$/.test(gid) ? { gid: Number(gid), members: members.split(',').filter(Boolean) } : undefined
}

/**
 * What cannot be the name of a new user or group: the names that useradd takes on every Debian, where 12 is the more lenient
 * about letters and 13 about length.
 *
 * @see useradd(8), CAVEATS
 */
export function accountName(name: string): Parsed<string> {
  if (/^[A-Za-z_][\w.-]*\$?$/.test(name) && name.length <= 32 && /[^0-9]/.test(name)) return name
  const rule = 'up to 32 letters, digits and _ . -, with a letter or _ first'
  return { problem: `${JSON.stringify(name)} is not a name: ${rule}` }
}

/** A number that a user or a group can have: 65535 and 4294967295 mean «none» to the kernel's calls. */
export function accountNumber(number: number): Parsed<number> {
  const fits = Number.isInteger(number) && number >= 0 && number < 4_294_967_295 && number !== 65_535
  return fits
    ? number
    : { problem: `${number} is not a number for a user or a group: a whole one from 0 to 4294967294` }
}
