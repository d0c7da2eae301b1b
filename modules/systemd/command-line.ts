/** Words of a command and variables of an environment, written so that systemd hands them on as they are. */

import { pathProblem } from '../../dsl/host-path.ts'
import type { Parsed } from '../../dsl/units.ts'

/**
 * A command as a line of a unit. In a list each word stays one word, and `$`, `%`, quotes and blanks in it mean nothing; a text is
 * systemd's own language, with its specifiers (`%i`), its variables (`$x`) and the prefixes of the program (`-`, `+`).
 * The program is an absolute path, or a name that systemd finds in its own fixed path. What only a shell understands would be
 * handed to the program as a word, or parts commands, so in a text it is a mistake.
 *
 * @see systemd.service(5), COMMAND LINES
 */
export function commandLine(command: string | readonly string[]): Parsed<string> {
  if (typeof command === 'string') return line(command)
  const [program = '', ...words] = command
  if (!isProgram(program)) return { problem: `${JSON.stringify(program)} is not a program: ${rule}` }
  // In the program systemd reads `%`, and hands `$` on in one place of two.
  if (/[$]/.test(program)) return { problem: `systemd takes no $ in the path of a program: ${JSON.stringify(program)}` }
  const wrong = command.find((word) => word.includes('\0'))
  if (wrong !== undefined) return { problem: `${JSON.stringify(wrong)} holds a NUL byte` }
  return [program, ...words].map((word) => quoted(word.replaceAll('$', '$$$$'))).join(' ')
}

/**
 * The program of a command where it is one certain path that must be there: not a name without a slash, nor a text with specifiers
 * or escapes, nor one whose failure is ignored (`-`).
 */
export function programPath(command: string | readonly string[]): string | undefined {
  const program = typeof command === 'string' ? textProgram(command) : command[0]
  const isCertain = program !== undefined && (typeof command !== 'string' || !/[%$\\"']/.test(program))
  return isCertain && pathProblem(program) === undefined ? program : undefined
}

/** One variable, as a value of `Environment=`: there, `$` means nothing. */
export function environmentValue(name: string, value: string): Parsed<string> {
  if (!/^[A-Za-z_]\w*$/.test(name)) return { problem: `${JSON.stringify(name)} is not the name of a variable` }
  // oxlint-disable-next-line no-control-regex -- systemd ignores an assignment with one of them, and says so in its log only
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(value)) return { problem: `${name} holds a control character` }
  return quoted(`${name}=${value}`)
}

const rule = 'an absolute path, or a name without a slash'

function line(command: string): Parsed<string> {
  if (command.trim() === '') return { problem: 'the command is empty' }
  if (/[\n\r\0]/.test(command))
    return { problem: 'the command is one line; say a list of words, or put it into a script' }
  const { program } = begin(command)
  if (!isProgram(program)) return { problem: `${JSON.stringify(program)} is not a program: ${rule}` }
  const shell = command.replace(quotes, 'q').split(/\s+/).find(isOfShell)
  if (shell === undefined) return command.trim()
  return {
    problem: `there is no shell, so ${JSON.stringify(shell)} means nothing like it: put it into a script, and run that`,
  }
}

/** What is quoted is one word for the program: `sh -c "a | b"`. */
const quotes = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g

/** Pipes, lists and redirections. */
function isOfShell(word: string): boolean {
  return /^(?:\|\|?|\|&|&&?|;|<|<<<?|(?:\d*|&)>.*)$/.test(word)
}

function begin(command: string): { readonly prefixes: string; readonly program: string } {
  const [, prefixes = '', word = ''] = /^([@:+!|-]*)("[^"]*"|'[^']*'|\S*)/.exec(command.trim())!
  return { prefixes, program: word.replace(/^["']|["']$/g, '') }
}

function textProgram(command: string): string | undefined {
  const { prefixes, program } = begin(command)
  return /[-|]/.test(prefixes) ? undefined : program
}

function isProgram(word: string): boolean {
  return /^\/[^/]/.test(word) ? !word.endsWith('/') : /^[\w%][\w.%+-]*$/.test(word)
}

/** A word that needs none stays without quotes, as a person would write it. */
function quoted(word: string): string {
  const literal = word.replaceAll('%', '%%')
  if (/^[\w.,:=%$/@+-]+$/.test(literal)) return literal
  const escaped = literal.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t')
  // oxlint-disable-next-line no-control-regex -- they would end the line
  return `"${escaped.replace(/[\u0001-\u001f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`
}
