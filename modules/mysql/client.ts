/** SQL that is safe to send, and the client that sends it: over standard input, so that nothing of it is an argument. */

import type { Parsed } from '../../dsl/units.ts'
import { Failure } from '../../errors/failure.ts'
import { type Output, tail } from '../../probe/probe.ts'
import { lines, type Script, sh } from '../../shell/script.ts'

/** A name as MySQL and MariaDB take it: any character but NUL, up to 64 of them, no blank at the end. */
function nameProblem(name: string): string | undefined {
  const shown = JSON.stringify(name)
  if (name === '') return 'a name is empty'
  // oxlint-disable-next-line no-control-regex -- they would tear the client's lines
  if (/[\u0000-\u001f]/.test(name)) return `${shown} holds a control character`
  if (name.endsWith(' ')) return `${shown} ends with a blank`
  return name.length > 64 ? `${shown} is longer than 64 characters` : undefined
}

/** A name in a statement. */
export function identifier(...names: readonly string[]): string {
  return names.map((name) => `\`${name.replaceAll('`', '``')}\``).join('.')
}

/** A text in a statement, whatever the server's sql_mode makes of quotes and backslashes. */
export function literal(text: string): string {
  return `_utf8mb4 x'${Buffer.from(text).toString('hex')}'`
}

/** A server elsewhere, as this host's client reaches it over TCP. */
export interface Elsewhere {
  readonly host: string
  readonly port: number
}

/**
 * Runs statements, and prints their rows without a head, as they are. It logs in as the user of the session over the
 * socket, or as a file of options says.
 */
export function client(statements: readonly string[], defaultsFile: string | undefined, elsewhere?: Elsewhere): Script {
  return command(defaultsFile, elsewhere).reading(asInput(statements))
}

/** The same in a script with several clients, or with an input of its own: the shell itself prints the statements. */
export function piped(statements: readonly string[], defaultsFile: string | undefined, elsewhere?: Elsewhere): Script {
  return sh`printf %s ${asInput(statements)} | { ${command(defaultsFile, elsewhere)}; }`
}

function command(defaultsFile: string | undefined, elsewhere: Elsewhere | undefined): Script {
  const options = [
    ...(defaultsFile === undefined ? [] : [`--defaults-extra-file=${defaultsFile}`]),
    ...(elsewhere ? ['--protocol=tcp', `--host=${elsewhere.host}`, `--port=${elsewhere.port}`] : []),
    '--batch',
    '--skip-column-names',
    '--raw',
    '--connect-timeout=10',
    '--default-character-set=utf8mb4',
  ]
  const run = sh`if command -v mysql >/dev/null; then c=mysql; else c=mariadb; fi
$c ${options}`
  return defaultsFile === undefined ? run : lines(confidential(defaultsFile), run)
}

const tellsAll = 'holds a password, and may be read by everybody on the host'

/** The client itself reads a password from a file of any mode. */
function confidential(file: string): Script {
  return sh`[ -z "$(find -L ${file} -perm -004 2>/dev/null)" ] || ! grep -qi '^[[:space:]]*pass' ${file} || { echo ${`${file} ${tellsAll}.`} >&2; exit 1; }`
}

function asInput(statements: readonly string[]): string {
  return statements.map((statement) => `${statement};\n`).join('')
}

/** Seconds that a statement waits for a table; meanwhile whoever comes after it waits too. */
export const lockWait = 5

/** Alters a table, and gives up where a transaction holds it for long. */
export function alteration(alter: string, defaultsFile: string | undefined): Script {
  const held = `A transaction has held the table for more than ${lockWait} s, and was not disturbed: nothing was altered. Try again when it has ended.`
  return sh`words=$(${piped([`set session lock_wait_timeout = ${lockWait}`, alter], defaultsFile)} 2>&1 >/dev/null) || {
  printf '%s\n' "$words" >&2
  case $words in *'ERROR 1205 '*) echo ${held} >&2 ;; esac
  exit 1
}`.called(alter)
}

/** Runs statements whose errors may come as rows of `Table Op Msg_type Msg_text`, with an exit status of 0: the first one is told. */
export function maintenance(statements: readonly string[], defaultsFile: string | undefined): Script {
  const [first = ''] = statements
  const main = statements.find((statement) => statement.startsWith('analyze')) ?? first
  return sh`# ${main}
t=$(printf '\t')
rows=$(${client(statements, defaultsFile)}) || exit
wrong=$(printf '%s\n' "$rows" | grep -i "^[^$t]*$t[^$t]*$t\(error\|warning\)$t" | head -n 1 | cut -f 4-)
[ -z "$wrong" ] || { printf '%s\n' "$wrong" >&2; exit 1; }`.called(main)
}

/** What the client says of an error: without the line of our statements, and without the statement, which MariaDB prints before it. */
function words(stderr: string): string {
  return stderr.replace(/^-{14}\n[^]*?\n-{14}\n+/m, '').replace(/^(ERROR .*?) at line \d+(?=:)/m, '$1')
}

/** The error itself; undefined where the client did not get so far. */
export function errorIn(stderr: string): string | undefined {
  return /^.*\bERROR\b.*$/m.exec(words(stderr))?.[0]
}

/** Why the server did not answer. */
export function unanswered({ status, stderr }: Output): Failure {
  const seen = { command: 'mysql', status, output: tail(words(stderr)) }
  const number = /ERROR (\d+)/.exec(stderr)?.[1]
  const failure = (message: string, hint?: string) => new Failure('E_UNREADABLE', message, { seen, hint })
  if (status === 127)
    return failure(
      'The client mysql is not installed on this host.',
      "Install it before: aptPackage('default-mysql-client').",
    )
  if (number === '2002' || number === '2003') {
    return failure(
      'The database server does not answer.',
      "Start it before: service('mysql').started(), or service('mariadb').",
    )
  }
  if (number === '1698' || number === '1045') {
    return failure(
      'The database server does not let this user in.',
      stderr.includes('using password: YES')
        ? 'It knows another password for the user in the file of options.'
        : 'root gets in over the socket: `.become()`; or give a file of options with `.defaultsFile(path)`.',
    )
  }
  const [, file] = /open required defaults file: (.+)/.exec(stderr) ?? []
  if (file !== undefined)
    return failure(
      `The file of options could not be read: ${file}`,
      "Write it before, as `file(path).mode('0600')` with a section [client], for the user of the session.",
    )
  if (stderr.includes(tellsAll))
    return failure(
      tail(stderr, 1),
      'Let its owner alone read it: chmod 0600. And change the password, which others may know.',
    )
  return failure(
    errorIn(stderr) ?? 'The database server could not be asked.',
    ['1044', '1142', '1143', '1227'].includes(number ?? '')
      ? 'Grant its user that privilege; root has them all over the socket, without `.defaultsFile()`.'
      : undefined,
  )
}

/** What cannot be a file of the client's options. */
export function defaultsFileProblem(path: string): string | undefined {
  const fits = typeof path === 'string' && path.startsWith('/') && !path.includes('\0')
  return fits ? undefined : `${JSON.stringify(path)} is not an absolute path`
}

/** Refuses a name before any connection. */
export function checked(name: string, what: string): Parsed<string> {
  const problem = typeof name === 'string' ? nameProblem(name) : `${JSON.stringify(name)} is no text`
  return problem === undefined ? name : { problem: `${what}: ${problem}` }
}
