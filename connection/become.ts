/** Sessions as another user: the command line of sudo, su and doas, their questions for a password, and their refusals. */

import { Failure } from '../errors/failure.ts'
import { quote } from '../shell/quote.ts'
import type { Become } from './connection.ts'

export interface Becoming {
  readonly become: Become
  readonly password: string | undefined
  readonly command: string
  /** What a person would have typed. */
  readonly label: string
  /** How many times a password was asked for, by what was written on standard error. */
  asked(stderr: string): number
  /** Without our prompt, which means nothing to a person. */
  readable(stderr: string): string
}

/**
 * Wraps a command line. Words are not translated (LC_ALL=C), so that refusals can be told apart.
 * `su` gets its password on standard input, where there is no terminal (util-linux and shadow by PAM, one byte at a time).
 * `su -s /bin/sh`: accounts such as `www-data` have no login shell, and root may become them all the same.
 */
export function becoming(become: Become, command: string, random: string): Becoming {
  const { method, user, password } = become
  if (password?.includes('\n')) throw new Failure('E_BECOME', 'A password cannot hold a newline.')
  const prompt = `fleetplay-password-${random}:`
  const wrap = {
    sudo: {
      words: password === undefined ? ['sudo', '-n'] : ['sudo', '-S', '-p', prompt],
      line: (sudo: string) => `${sudo} -H -u ${quote(user)} -- ${command.replace(/^exec /, '')}`,
      asks: new RegExp(prompt, 'g'),
    },
    su: {
      words: ['su'],
      line: (su: string) => `${su} -s /bin/sh -c ${quote(command)} -- ${quote(user)}`,
      asks: /password[^\n]*: ?$/gi,
    },
    doas: {
      words: ['doas', '-n'],
      line: (doas: string) => `${doas} -u ${quote(user)} -- ${command.replace(/^exec /, '')}`,
      asks: /(?!)/g,
    },
  }[method]
  return {
    become,
    password,
    command: wrap.line(`exec env LC_ALL=C ${wrap.words.map(quote).join(' ')}`),
    label: `${wrap.words.slice(0, 2).join(' ')} ${method === 'su' ? user : `-u ${user}`}`,
    asked: (stderr) => stderr.match(wrap.asks)?.length ?? 0,
    readable: (stderr) => stderr.replaceAll(prompt, ''),
  }
}

/** A password was asked for that is not there, or once more after it was given. */
export function refusedFailure(becoming: Becoming, sent: boolean, output: string): Failure {
  return failure(becoming, sent ? 'refused' : 'needed', undefined, output)
}

/** It ended without the program having been started. */
export function becomeFailure(becoming: Becoming, what: string, status: number | undefined, output: string): Failure {
  const kind = refusals.find(([, pattern]) => pattern.test(output))?.[0]
  if (kind) return failure(becoming, kind, status, output)
  const { method, user } = becoming.become
  return new Failure('E_BECOME', `As ${user} by ${method}, the host ${what}.`, {
    seen: { command: becoming.label, status, output },
    hint: `Try it on the host: ${becoming.label} true`,
  })
}

/** The words of sudo 1.9, util-linux, shadow and busybox su, and doas 6.8, in the order in which they are looked for. */
const refusals = [
  ['terminal', /must have a tty|must be run from a terminal/],
  [
    'missing',
    /(env|exec|sh)[^\n]*['‘]?(sudo|su|doas)['’]?: (No such file|not found)|(sudo|su|doas): (command )?not found/,
  ],
  ['user', /unknown user|user \S+ does not exist|Unknown id|No passwd entry/],
  ['forbidden', /not in the sudoers file|is not allowed to|may not run sudo|Operation not permitted/],
  ['refused', /^Sorry, try again|sudo: \d+ incorrect password|su: Authentication failure|su: incorrect password/m],
  ['needed', /password is required|no password was provided|Auth[a-z]+ (is )?required|a terminal is required/],
] as const satisfies readonly (readonly [string, RegExp])[]

type Refusal = (typeof refusals)[number][0]

function failure({ become, label }: Becoming, kind: Refusal, status: number | undefined, output: string): Failure {
  const { method, user } = become
  const told = {
    terminal: [`${method} wants a terminal.`, 'Take `requiretty` out of sudoers for this user.'],
    missing: [`${method} is not installed on the host.`, 'Install it, or become by another method.'],
    user: [`The host has no user ${user}.`, 'Create it first, or become another user.'],
    forbidden: [`${method} does not let this login become ${user}.`, permission[method]],
    refused: [
      `${method}: the password was refused.`,
      'Look at what --become-password-file holds: the password of the ' + owner[method] + '.',
    ],
    needed: [`${method} asks for a password to become ${user}.`, needed[method]],
  }[kind]
  return new Failure('E_BECOME', told[0]!, { hint: told[1], seen: { command: label, status, output } })
}

const owner = { sudo: 'user who logs in', su: 'user to become', doas: 'user who logs in' } as const

const permission = {
  sudo: 'Allow it in a file under /etc/sudoers.d, or log in as another user.',
  su: 'Log in as another user, or become by sudo.',
  doas: 'Allow it in /etc/doas.conf, with `nopass`.',
} as const

const needed = {
  sudo: 'Give it with --become-password-file, or allow it with NOPASSWD in sudoers.',
  su: 'Give it with --become-password-file.',
  doas: 'doas takes a password from a terminal only: allow it with `nopass` in /etc/doas.conf, or become by sudo.',
} as const
