/** The crontab of a user, as the program crontab reads and installs it. */

import type { Resource } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { type Output, Probe, tail } from '../probe/probe.ts'
import { type Script, sh } from '../shell/script.ts'

export interface CrontabState {
  readonly lines: readonly string[]
}

/** The lines of a user's crontab; null where the user has none. One without lines counts as none. */
export function crontab(user: string): Resource<CrontabState | null> {
  return {
    key: `crontab:${user}`,
    label: `crontab of ${user}`,
    read: Probe.script(
      sh`${program(user)}
$crontab -l`,
      (output) => crontabState(user, output),
    ),
    write: (to) => writeCrontab(user, to),
    show: (value) => (value ? `${value.lines.length} ${value.lines.length === 1 ? 'line' : 'lines'}` : 'absent'),
    text: (value) => value?.lines.map((line) => `${line}\n`).join(''),
    fresh: null,
  }
}

function crontabState(user: string, output: Output): CrontabState | null {
  const text = output.stdout.toString().replace(/\n$/, '')
  if (output.status === 0) return text === '' ? null : { lines: text.split('\n') }
  if (/^no crontab for /m.test(output.stderr)) return null
  const said = tail(output.stderr)
  const [reason, hint] =
    output.status === 127
      ? ['There is no cron on this host.', "Install it in an earlier task: aptPackage('cron')"]
      : [`The crontab of ${user} could not be read.`, undefined]
  throw new Failure('E_UNREADABLE', reason, {
    hint,
    seen: { command: 'crontab -l', status: output.status, output: said },
  })
}

/** crontab takes the new text whole or not at all, and says what is wrong with it. */
function writeCrontab(user: string, to: CrontabState | null): Script {
  const script =
    to === null
      ? sh`${program(user)}
$crontab -r`.called(`crontab -r -u ${user}`)
      : sh`${program(user)}
$crontab -`
          .called(`crontab -u ${user} -`)
          .reading(to.lines.map((line) => `${line}\n`).join(''))
  return script.touches()
}

/** Only root may name the user; anybody else has a crontab of his own. */
function program(user: string): Script {
  return sh`me= uid=
while read -r k v _; do [ "$k" != Uid: ] || me=$v; done </proc/self/status
while IFS=: read -r n _ u _; do [ "$n" != ${user} ] || { uid=$u; break; }; done </etc/passwd
if [ "$me" = 0 ]; then crontab=${`crontab -u ${user}`}
elif [ "$me" = "$uid" ]; then crontab=crontab
else echo ${`the crontab of ${user} is for ${user} and root only`} >&2; exit 1
fi`
}
