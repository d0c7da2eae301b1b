/** The host's lock: the part of the program that takes it, what it says of that, and what a person is told. */

import { Failure } from '../errors/failure.ts'
import { quote } from '../shell/quote.ts'
import type { Answer, Lock, LockedBy } from './connection.ts'

/** What the program says of the lock, as the statuses of its answers. */
const taken = 0
const waiting = 1
const refused = 75
const missing = 127

/*
 * One file for each user of a host, whichever way the user came. XDG_RUNTIME_DIR is not asked: `su` keeps the one of the user
 * before, sudo sets none, and logind removes it with the last login. /dev/shm is not the first choice, since logind empties
 * it of a user's files at that moment (RemoveIPC) although a lock is held there. FLEETPLAY_LOCK_DIR is for hosts with none of
 * these places. A parent that is sticky keeps others from putting a folder of their own in the place of ours.
 *
 * The file is never removed: whoever opened it before, and locks it after, would have a lock that nobody else sees. What it
 * holds, the process and the holder, is of a run that may be over; only flock knows. Where that process is gone, the next one
 * has taken the lock and not written yet, which is seen a second later. When it was taken is the file's time.
 *
 * `flock -n DESCRIPTOR` is what both util-linux and busybox have; only the former can wait.
 */
const steps = `
  say() { echo "0 $1 0 \${#2} 0" >&4 && printf %s "$2" >&4 || exit; }
  give_up() { say "$1" "$2"; exit 70; }
  lock() {
    command -v flock >/dev/null 2>&1 || give_up ${missing} ''
    while read -r key real uid rest; do [ "$key" != Uid: ] || break; done </proc/self/status
    place=\${FLEETPLAY_LOCK_DIR-}
    [ "$place" ] || if [ "$uid" = 0 ]; then place=/run/fleetplay; else
      for base in /tmp /dev/shm; do [ -k "$base" ] && [ -w "$base" ] && break; done
      place=$base/fleetplay-$uid
    fi
    [ -d "$place" ] || mkdir -m 700 "$place" 2>log || [ -d "$place" ] || { read -r why <log; give_up 74 "$why"; }
    [ -O "$place" ] && [ ! -L "$place" ] || give_up 74 "$place is not a folder that belongs to the user of the session"
    command exec 6>>"$place/lock" || give_up 74 "cannot write $place/lock"
    left=$2 grace=1 told=
    until flock -n 6; do
      status=$?
      [ $status -eq 1 ] || give_up 74 "flock ended with status $status on $place/lock"
      pid= holder=
      { read -r pid && read -r holder; } <"$place/lock"
      if [ -d "/proc/\${pid:-none}" ]; then
        [ "$holder" != "$1" ] || return
        since=$(date -u -r "$place/lock" +%Y-%m-%dT%H:%M:%SZ)
      else
        pid= holder= since=
        [ "$left" -gt 0 ] || left=$grace grace=0
      fi
      whose="$pid
$since
$holder"
      [ "$left" -gt 0 ] || give_up ${refused} "$whose"
      [ "$told" = "$pid" ] || say ${waiting} "$whose"
      told=$pid left=$((left - 1))
      sleep 1
    done
    printf '%s\\n%s\\n' $$ "$1" >"$place/lock" || give_up 74 "cannot write $place/lock"
  }
`

/** Takes the lock or ends the program; in sh. */
export function lockText({ holder, wait }: Pick<Lock, 'holder' | 'wait'>): string {
  const line = holder.trim().replaceAll(/\s+/g, ' ')
  return `${steps}lock ${quote(line)} ${Math.ceil(wait)}\nsay ${taken} ''\n`
}

/** Who has the lock, where the answer says that this session waits for it. */
export function waitsFor(answer: Answer): LockedBy | undefined {
  return answer.status === waiting ? lockedBy(answer) : undefined
}

/** Why there is no lock; undefined where there is. */
export function lockFailure(answer: Answer): Failure | undefined {
  if (answer.status === taken) return undefined
  if (answer.status === refused) return refusal(lockedBy(answer))
  if (answer.status === missing) {
    return new Failure('E_LOCKED', 'The host has no flock, by which one run at a time works on it.', {
      hint: 'Install it there: it is in the package util-linux, and in busybox.',
    })
  }
  return new Failure('E_LOCKED', `The host's lock could not be taken: ${answer.stdout.toString()}.`, {
    hint: 'It needs a folder of its own: /run/fleetplay for root, /tmp/fleetplay-UID for others, or where FLEETPLAY_LOCK_DIR says.',
  })
}

/** What becomes of a session that waits no more. */
export function stoppedFailure(): Failure {
  return new Failure('E_LOCKED', 'The run was stopped while it waited for another one to end on this host.')
}

/** Three lines: the process, since when, who. */
function lockedBy({ stdout }: Answer): LockedBy {
  const [process = '', since = '', holder = ''] = stdout.toString().split('\n')
  return { process: Number(process) || undefined, since: since || undefined, holder: holder || undefined }
}

function refusal(whose: LockedBy): Failure {
  const { process } = whose
  const there =
    process === undefined
      ? ''
      : ` It is process ${process} on the host: \`ps -f --ppid ${process}\` shows there what it does. Where nobody is at it any more, \`kill ${process}\` ends it, after the script in hand.`
  return new Failure('E_LOCKED', `Another run works on this host${told(whose)}.`, {
    hint: `Wait for its end with --wait-for-lock 5m.${there}`,
  })
}

/** `: alice@laptop, play web (run 2026-11-23T14-02-7f3a), since 14:02 UTC`; with the day where that is another. */
function told({ holder, since }: LockedBy): string {
  const [day, time] = since?.split('T') ?? []
  const today = new Date().toISOString().startsWith(`${day}T`)
  const when = time && `since ${today ? '' : `${day} `}${time.slice(0, 5)} UTC`
  const text = [holder, when].filter((part) => part !== undefined).join(', ')
  return text && `: ${text}`
}
