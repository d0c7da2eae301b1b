/** The options that several commands share, with ansible-playbook's names. */

import { type Command, InvalidArgumentError } from 'commander'
import { type Duration, seconds } from '../dsl/units.ts'

/** What became of a host that is to be done again. */
export type LeftKind = 'failed' | 'unreached'

/** To whom. */
export interface InventoryOptions {
  readonly inventory?: string | undefined
  readonly extraVars: Readonly<Record<string, string>>
}

/** How hosts are reached. */
export interface ConnectionOptions {
  readonly user?: string
  readonly privateKey?: string
  readonly becomePasswordFile?: string
  readonly askBecomePass?: boolean
}

/** Which hosts and tasks of a play. */
export interface ChoiceOptions {
  readonly limit?: string | undefined
  readonly tags: readonly string[]
  readonly skipTags: readonly string[]
}

/** What a command does about hosts on which another run works. */
export interface LockOptions {
  /** Seconds. */
  readonly waitForLock?: number
}

export interface OutputOptions {
  readonly output: 'text' | 'json'
}

export function withInventory(command: Command): Command {
  return command
    .option('-i, --inventory <name>', 'inventory/NAME.ts, or a path (default: inventory/default.ts)')
    .option(
      '-e, --extra-vars <name=value>',
      'a variable of the shape, before any other value of it; repeatable',
      assignment,
      {},
    )
}

export function withConnection(command: Command): Command {
  return command
    .option('-u, --user <name>', 'the user who logs in, whatever the inventory says')
    .option('--private-key <file>', 'the only key to log in with')
    .option('--become-password-file <file>', 'the password for becoming another user is the first line of this file')
    .option('-K, --ask-become-pass', 'ask for the password for becoming another user')
}

export function withForks(command: Command): Command {
  return command.option('-f, --forks <number>', 'hosts at once', positive, 50)
}

export function withLock(command: Command): Command {
  return command.option(
    '--wait-for-lock <duration>',
    'how long to wait for another run to end on a host, such as 5m; without it such a host fails',
    duration,
  )
}

export function withChoice(command: Command): Command {
  return command
    .option('-l, --limit <pattern>', 'only these hosts of the plays: groups, hosts, globs; a:&b, a:!b')
    .option('-t, --tags <tags>', 'only tasks with one of these tags; commas between', words, [])
    .option('--skip-tags <tags>', 'all but tasks with one of these tags', words, [])
}

export function withOutput(command: Command): Command {
  return command.option('--output <form>', 'text, or json: one event a line', form, 'text')
}

function assignment(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError('Write name=value.')
  return { ...before, [name]: value! }
}

export function positive(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It takes a whole number from 1.')
  return Number(text)
}

function duration(text: string): number {
  const result = seconds(text as Duration)
  if (typeof result !== 'number') throw new InvalidArgumentError('It takes a duration such as 90s, 5m or 1h.')
  return result
}

/** An option that is said several times. */
export function several(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

/** What became of hosts that are to be done again. */
export function left(text: string): readonly LeftKind[] {
  const kinds = text.split(',').map((word) => word.trim())
  if (kinds.every((kind) => kind === 'failed' || kind === 'unreached')) return kinds
  throw new InvalidArgumentError('It takes failed, unreached, or both with a comma between.')
}

function words(text: string, before: readonly string[]): readonly string[] {
  return [
    ...before,
    ...text
      .split(',')
      .map((word) => word.trim())
      .filter(Boolean),
  ]
}

function form(text: string): 'text' | 'json' {
  if (text !== 'text' && text !== 'json') throw new InvalidArgumentError('It takes text or json.')
  return text
}
