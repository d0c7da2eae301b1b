/** How ~/.ssh/authorized_keys is read and written: with the rights of the user whose it is. */

import { Failure } from '../errors/failure.ts'
import { type Collector, type Output, Probe, tail, unparsable } from '../probe/probe.ts'
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

export function keysOf(user: string): Probe<KeysState | null> {
  return Probe.of(keyFiles, user)
}

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

/** For each user: a word, the modes of directory and file, and the content; NUL after each. */
const keyFiles: Collector<string, KeysState | null> = {
  name: 'authorized keys',
  ask: (users) => sh`${login}
for user in ${users}; do
  login "$user"
  if [ -z "$uid" ]; then printf 'unknown\0\0\0'; continue; fi
  if [ -z "$me" ]; then printf 'foreign\0\0\0'; continue; fi
  # Only root sees nothing where nothing is: for a user, a closed directory looks the same, and it is his own.
  if [ ! -e "$home/.ssh/authorized_keys" ] && [ ! -L "$home/.ssh/authorized_keys" ]; then printf 'absent\0\0\0'; continue; fi
  $as sh -c '
    cd -- "$1" && [ -f authorized_keys ] || { printf "odd\0\0\0"; exit; }
    m=$(stat -L -c %a . authorized_keys) || { printf "odd\0\0\0"; exit; }
    printf "there\0%s\0" "$m"
    head -c ${largest + 1} authorized_keys || printf "\0unread"
    printf "\0"' sh "$home/.ssh"
done`,
  answers: (output, users) => {
    const fields = output.stdout.toString().split('\0')
    if (output.status !== 0 || fields.length !== users.length * 3 + 1) return users.map((user) => unread(user, output))
    return users.map((user, i) => keysState(user, fields.slice(i * 3, i * 3 + 3), output))
  },
}

function keysState(user: string, [kind, modes = '', content = '']: readonly string[], output: Output): KeysState | null | Failure {
  const [directory, mode] = modes.split('\n').map((text) => text.padStart(4, '0'))
  switch (kind) {
    case 'absent':
      return null
    case 'there':
      if (Buffer.byteLength(content) > largest) {
        return new Failure('E_UNREADABLE', `The authorized_keys of ${user} is larger than ${largest / 1024} KiB.`)
      }
      return { lines: content === '' ? [] : content.replace(/\n$/, '').split('\n'), mode: mode!, directory: directory! }
    case 'unknown':
      return new Failure('E_UNREADABLE', `There is no account ${user} on this host.`, {
        hint: `Make it in an earlier task: user('${user}')`,
      })
    case 'foreign':
      return new Failure('E_UNREADABLE', `Only root and ${user} may look at the keys of ${user}.`, {
        hint: `Let the play or the task become one of them: .become() or .become('${user}')`,
      })
    case 'odd':
      return new Failure('E_UNREADABLE', `~/.ssh/authorized_keys of ${user} is not a file that ${user} can read.`)
    default:
      return unparsable(`the keys of ${user}`, output)
  }
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
  const script = to === null ? sh`rm -f authorized_keys` : replace(to, from)
  const inner = sh`umask 077
[ -d "$1" ] || mkdir -- "$1" || exit
cd -- "$1" || exit
${script}`
  const run = sh`${login}
login ${user}
[ "$uid" ] || { echo ${`There is no account ${user} on this host.`} >&2; exit 1; }
[ "$me" ] || { echo ${`Only root and ${user} may write the keys of ${user}.`} >&2; exit 1; }
[ -d "$home" ] || { echo ${`The home of ${user} does not exist:`} "$home" >&2; exit 1; }
$as sh -c ${inner.text} sh "$home/.ssh"`
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
