import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { becoming } from '../../connection/become.ts'
import type { Become } from '../../connection/connection.ts'
import { ask, Folder, told } from './shells.ts'

/*
 * The stand-ins say and do what sudo 1.9.13 and 1.9.17, su of util-linux 2.38 and 2.42, and doas 6.8.2 were seen to say
 * and do without a terminal: prompts on standard error, the password read one byte at a time from standard input, the
 * words of each refusal. They write down what they were called with, and what was left for them to read.
 */
const sudo = String.raw`
echo "$*" >>"$HERE/calls"
prompt= quiet=
while :; do
  case $1 in
    -n) quiet=1; shift ;;
    -S|-H) shift ;;
    -p) prompt=$2; shift 2 ;;
    -u) user=$2; shift 2 ;;
    --) shift; break ;;
  esac
done
case $MODE in
  tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1 ;;
  free) exec "$@" ;;
esac
if [ "$user" = nosuch ]; then
  echo "sudo: unknown user nosuch" >&2
  echo "sudo: error initializing audit plugin sudoers_audit" >&2
  exit 1
fi
if [ "$quiet" ]; then echo "sudo: a password is required" >&2; exit 1; fi
[ "$MODE" = lecture ] && printf '%s\n' 'We trust you have received the usual lecture. Your password:' >&2
for try in 1 2 3; do
  printf %s "$prompt" >&2
  IFS= read -r password || { echo "sudo: no password was provided" >&2; exit 1; }
  echo "$password" >>"$HERE/passwords"
  if [ "$password" = 'right $1' ]; then
    [ "$MODE" = stranger ] && { echo "plain is not in the sudoers file." >&2; exit 1; }
    exec "$@"
  fi
  echo "Sorry, try again." >&2
done
echo "sudo: 3 incorrect password attempts" >&2
exit 1`

const su = String.raw`
echo "$*" >>"$HERE/calls"
[ "$1 $3 $5" = "-s -c --" ] || exit 9
if [ "$6" = nosuch ]; then
  echo "su: user nosuch does not exist or the user entry does not contain all the required fields" >&2
  exit 1
fi
[ "$MODE" = free ] && exec "$2" -c "$4"
printf %s 'Password: ' >&2
IFS= read -r password || exit 1
echo "$password" >>"$HERE/passwords"
echo >&2
[ "$password" = 'right $1' ] && exec "$2" -c "$4"
echo "su: Authentication failure" >&2
exit 1`

const doas = String.raw`
echo "$*" >>"$HERE/calls"
[ "$1 $2 $4" = "-n -u --" ] || exit 9
[ "$3" = nosuch ] && { echo "doas: unknown user" >&2; exit 1; }
[ "$MODE" = stranger ] && { echo "doas: Operation not permitted" >&2; exit 1; }
[ "$MODE" = free ] || { echo "doas: Authentication required" >&2; exit 1; }
shift 4
exec "$@"`

type Mode = 'free' | 'asks' | 'lecture' | 'stranger' | 'tty'

const right = 'right $1'

describe('becoming another user', () => {
  let folder: Folder
  const folders: Folder[] = []
  beforeEach(() => {
    folder = new Folder()
    folders.push(folder)
    folder.program('sudo', sudo)
    folder.program('su', su)
    folder.program('doas', doas)
  })
  afterAll(() => {
    for (const each of folders) each.remove()
  })

  const host = (MODE: Mode) => folder.connection({ MODE, HERE: folder.path, LC_ALL: 'C.UTF-8' })
  const noted = (name: string) => spawnSync('cat', [join(folder.path, name)]).stdout.toString()

  it.each([
    ['sudo without a password', { method: 'sudo', user: 'root' }, 'free', ''],
    ['sudo that does not ask for the password', { method: 'sudo', user: 'root', password: right }, 'free', ''],
    ['sudo with a password', { method: 'sudo', user: 'root', password: right }, 'asks', `${right}\n`],
    ['sudo that lectures first', { method: 'sudo', user: 'root', password: right }, 'lecture', `${right}\n`],
    ['su as root', { method: 'su', user: 'www-data' }, 'free', ''],
    ['su with a password', { method: 'su', user: 'root', password: right }, 'asks', `${right}\n`],
    ['doas', { method: 'doas', user: 'root' }, 'free', ''],
  ] as const satisfies [string, Become, Mode, string][])(
    'opens a session by %s',
    async (_, become, mode, passwords) => {
      const connection = host(mode)
      const session = await connection.open({ become, greet: 'echo hello; cat' })
      expect(session.greeting.toString()).toBe('hello\n')
      const answers = await session.run([ask('kill -9 0'), ask('cat', 'fine')])
      expect(answers.map((answer) => told(answer).stdout)).toEqual(['', 'fine'])
      expect(noted('passwords')).toBe(passwords)
      expect(noted('calls')).not.toContain(right)
      expect(connection.traffic).toMatchObject({ channels: 1, trips: 2 })
      await connection.close()
      expect(folder.left()).toEqual([])
    },
  )

  it.each([
    [{ method: 'sudo', user: 'root' }, 'asks', 'sudo asks for a password to become root.', '--become-password-file'],
    [
      { method: 'sudo', user: 'root', password: 'wrong' },
      'asks',
      'sudo: the password was refused.',
      'user who logs in',
    ],
    [
      { method: 'sudo', user: 'root', password: right },
      'stranger',
      'sudo does not let this login become root.',
      '/etc/sudoers.d',
    ],
    [{ method: 'sudo', user: 'nosuch', password: right }, 'asks', 'The host has no user nosuch.', 'Create it'],
    [{ method: 'sudo', user: 'root' }, 'tty', 'sudo wants a terminal.', 'requiretty'],
    [{ method: 'su', user: 'root' }, 'asks', 'su asks for a password to become root.', '--become-password-file'],
    [{ method: 'su', user: 'root', password: 'wrong' }, 'asks', 'su: the password was refused.', 'user to become'],
    [{ method: 'su', user: 'nosuch' }, 'asks', 'The host has no user nosuch.', 'Create it'],
    [{ method: 'doas', user: 'root' }, 'asks', 'doas asks for a password to become root.', '`nopass`'],
    [{ method: 'doas', user: 'root' }, 'stranger', 'doas does not let this login become root.', '/etc/doas.conf'],
    [{ method: 'doas', user: 'nosuch' }, 'asks', 'The host has no user nosuch.', 'Create it'],
  ] as const satisfies [Become, Mode, string, string][])(
    'tells %o refused by a host that is %s: %s',
    async (become, mode, message, hint) => {
      const failure = await host(mode)
        .open({ become })
        .catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'E_BECOME', message, hint: expect.stringContaining(hint) })
      expect(JSON.stringify(failure)).not.toMatch(/wrong|right \$1|fleetplay-password/)
      // A wrong password is tried once: more would lock the account on some hosts.
      expect(noted('passwords').split('\n').length - 1).toBe('password' in become && become.user !== 'nosuch' ? 1 : 0)
    },
  )

  it('ends a script at its deadline, and not what started the session', async () => {
    const connection = host('free')
    const session = await connection.open({ become: { method: 'sudo', user: 'root' } })
    const answers = await session.run([ask('exec sleep 55', undefined, 1), ask('cat', 'fine')])
    expect(answers.map(told)).toMatchObject([{ timedOut: true }, { timedOut: false, stdout: 'fine' }])
    await connection.close()
  })

  it('shows the words of the host', async () => {
    const opening = host('stranger').open({ become: { method: 'sudo', user: 'root', password: right } })
    await expect(opening).rejects.toMatchObject({
      seen: { command: 'sudo -S -u root', status: 1, output: 'plain is not in the sudoers file.' },
    })
  })

  it('tells a command that the host does not have', async () => {
    const connection = folder.connection({}, (command) => command.replace('doas', 'missing/doas'))
    await expect(connection.open({ become: { method: 'doas', user: 'root' } })).rejects.toMatchObject({
      code: 'E_BECOME',
      message: 'doas is not installed on the host.',
      seen: { status: 127 },
    })
  })

  it('shows what is not known, with what to try', async () => {
    folder.program('sudo', 'echo "sudo: /etc/sudo.conf is owned by uid 1000, should be 0" >&2; exit 1')
    await expect(folder.connection().open({ become: { method: 'sudo', user: 'db' } })).rejects.toMatchObject({
      code: 'E_BECOME',
      message: 'As db by sudo, the host ended the session before it greeted.',
      hint: 'Try it on the host: sudo -n -u db true',
      seen: { output: 'sudo: /etc/sudo.conf is owned by uid 1000, should be 0' },
    })
  })

  it('quotes the user, who is one word', () => {
    for (const method of ['sudo', 'su', 'doas'] as const) {
      folder.program('print', String.raw`printf '[%s]' "$@"`)
      const { command } = becoming({ method, user: 'a; rm -rf "$HOME"' }, 'exec true', 'x')
      const line = command.replace(/exec env LC_ALL=C (sudo|su|doas)/, 'print')
      const { stdout } = spawnSync('sh', ['-c', line], { env: { PATH: `${folder.path}:${process.env['PATH']}` } })
      expect(stdout.toString()).toContain('[a; rm -rf "$HOME"]')
    }
  })

  it('refuses a password of two lines', async () => {
    const opening = host('asks').open({ become: { method: 'sudo', user: 'root', password: 'a\nb' } })
    await expect(opening).rejects.toMatchObject({ code: 'E_BECOME', message: 'A password cannot hold a newline.' })
    expect(readFileSync(join(folder.path, 'sudo'), 'utf8')).toContain('Sorry')
    expect(noted('calls')).toBe('')
  })
})
