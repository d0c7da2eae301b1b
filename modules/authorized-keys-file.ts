/** How ~/.ssh/authorized_keys is read and written: with the rights of the user whose it is. */

import { Failure } from '../errors/failure.ts'
import { type Output, Probe, tail } from '../probe/probe.ts'
import { type Script, sh } from '../shell/script.ts'

/** The file, with the modes that sshd looks at. */
export interface KeysState {
  readonly lines: readonly string[]
  /** Mode of the file, four octal digits. */
  readonly mode: string
  /** Mode of ~/.ssh. */
  readonly directory: string
}

const largest = 256 * 1024

/**
 * `login USER` finds uid, gid and home in /etc/passwd, and in `as` the words that give a command the rights of the user; empty
 * where the session has them already. The shell reads the file itself, so that no process is started for it.
 *
 * setpriv of util-linux, which Debian has everywhere, is used rather than su and runuser: those open a PAM session, which is
 * logged and may start a systemd user manager, and su runs the shell of the account, which may be nologin.
 */
const login: Script = sh`login() {
  me= uid= gid= home= as=
  while read -r k v _; do [ "$k" != Uid: ] || me=$v; done </proc/self/status
  while IFS=: read -r n _ u g _ h _; do
    [ "$n" != "$1" ] || { uid=$u gid=$g home=$h; break; }
  done </etc/passwd
  case $me in "$uid") ;; 0) as="setpriv --reuid=$uid --regid=$gid --clear-groups --" ;; *) me= ;; esac
}`

/** Each user is asked for by a script alone: what one has in his home must not spoil the answer for another. */
export function keysOf(user: string): Probe<KeysState | null> {
  return Probe.script(
    sh`${login}
login ${user}
[ "$uid" ] || { echo unknown; exit; }
[ "$me" ] || { echo foreign; exit; }
[ -e "$home/.ssh/authorized_keys" ] || [ -L "$home/.ssh/authorized_keys" ] || { echo absent; exit; }
$as sh -c '
  cd -- "$1" && [ -f authorized_keys ] && [ -r authorized_keys ] && m=$(stat -L -c %a . authorized_keys) || { echo odd; exit; }
  printf "there\n%s\n" "$m"
  head -c ${largest + 1} authorized_keys' sh "$home/.ssh"`,
    (output) => keysState(user, output),
  )
}

function keysState(user: string, output: Output): KeysState | null {
  const text = output.stdout.toString()
  const [, kind, directory = '', mode = '', content = ''] = /^(\w+)\n(?:(\d+)\n(\d+)\n(.*))?$/s.exec(text) ?? []
  if (output.status !== 0 || kind === undefined) throw unread(user, output)
  switch (kind) {
    case 'absent':
      return null
    case 'there': {
      if (Buffer.byteLength(content) > largest)
        throw refusal(`The authorized_keys of ${user} is larger than ${largest / 1024} KiB.`)
      const lines = content === '' ? [] : content.replace(/\n$/, '').split('\n')
      return { lines, mode: mode.padStart(4, '0'), directory: directory.padStart(4, '0') }
    }
    case 'unknown':
      throw refusal(`There is no account ${user} on this host.`, `Make it in an earlier task: user('${user}')`)
    case 'foreign':
      throw refusal(
        `Only root and ${user} may look at the keys of ${user}.`,
        `Let the play or the task become one of them: .become() or .become('${user}')`,
      )
    default:
      throw refusal(`~/.ssh/authorized_keys of ${user} is not a file that ${user} can read.`)
  }
}

function refusal(message: string, hint?: string): Failure {
  return new Failure('E_UNREADABLE', message, { hint })
}

function unread(user: string, output: Output): Failure {
  const hint = /setpriv/.test(output.stderr) ? 'setpriv is in the package util-linux.' : undefined
  return new Failure('E_UNREADABLE', `The authorized_keys of ${user} could not be read.`, {
    hint,
    seen: { command: 'head ~/.ssh/authorized_keys', status: output.status, output: tail(output.stderr) },
  })
}

/** The new file is written beside the old one and renamed: nobody is locked out by half a file. */
export function writeKeys(user: string, to: KeysState | null, from: KeysState | null): Script {
  // A directory that has become empty goes too: it was probably made for the file.
  const script =
    to === null ? sh`rm -f authorized_keys && cd .. && { rmdir .ssh 2>/dev/null || :; }` : replace(to, from)
  const inner = sh`umask 077
[ -d "$1" ] || mkdir -- "$1" || exit
cd -- "$1" || exit
${script}`
  const run = sh`${login}
login ${user}
[ "$uid" ] || { echo ${`There is no account ${user} on this host.`} >&2; exit 1; }
[ "$me" ] || { echo ${`Only root and ${user} may write the keys of ${user}.`} >&2; exit 1; }
[ -d "$home" ] || { echo ${`The home of ${user} does not exist:`} "$home" >&2; exit 1; }
$as sh -c ${inner.text} sh "$home/.ssh"`.called(`writing ~/.ssh/authorized_keys as ${user}`)
  const content = to?.lines.map((line) => `${line}\n`).join('') ?? ''
  return (to === null ? run : run.reading(content)).touches()
}

function replace({ mode, directory }: KeysState, from: KeysState | null): Script {
  const closes = directory === from?.directory ? sh`` : sh`chmod -- ${directory} . || exit`
  return sh`${closes}
t=authorized_keys.fleetplay.$$
trap 'rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
rm -f authorized_keys.fleetplay.*
set -C
cat >"$t" && sync "$t" && chmod -- ${mode} "$t" && mv -f -- "$t" authorized_keys && trap - EXIT`
}
