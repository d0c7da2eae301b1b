/** `play run` and, with nothing changed, `play plan`. */

import { relative } from 'node:path'
import { quote } from '../shell/quote.ts'
import type { Mandate } from '../engine/mandate.ts'
import type { At, RunHeader } from '../engine/journal.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { playsOf } from './load.ts'
import type { ChoiceOptions, InventoryOptions, LeftKind } from './options.ts'
import { leftHosts } from './left-hosts.ts'
import { type PerformOptions, type Performance, perform } from './perform.ts'
import { type Prepared, prepare } from './prepare.ts'
import { runName } from './run-files.ts'

export interface RunOptions extends InventoryOptions, ChoiceOptions, PerformOptions {
  readonly check?: boolean
  /** `play plan --exit-code`: 10 where changes are pending. */
  readonly exitCode?: boolean
  /** `--only failed,unreached`: hosts that the last run of the play did not bring to its end. */
  readonly only?: readonly LeftKind[]
}

/** What a run goes on with. */
export interface Resumed {
  readonly run: string
  readonly mandate: (at: At) => Mandate
}

/** @throws Mistakes before any connection */
export async function run(name: string, given: RunOptions, resumed?: Resumed): Promise<ExitStatus> {
  const options = given.only ? { ...given, limit: leftHosts(name, given).join(',') } : given
  const prepared = await prepare(name, options)
  const header = options.check ? undefined : headerOf(prepared.play.file, options, resumed)
  const performance = performanceOf(name, prepared, options, header)
  const { status, pending } = await perform({ ...performance, ...(resumed && { mandate: resumed.mandate }) }, options)
  return status === exitStatus.fine && options.exitCode && pending ? exitStatus.pending : status
}

/** A run as it was asked for, or a plan where there is no header. */
export function performanceOf(
  name: string,
  prepared: Prepared,
  options: RunOptions,
  header: RunHeader | undefined,
): Performance {
  const { limit, tags, skipTags } = options
  return {
    prepared: { ...prepared, plays: playsOf(prepared.play.plays) },
    title: prepared.play.name,
    header,
    limit,
    tags,
    skipTags,
    again: (hosts) => againCommand(name, hosts, options, header === undefined),
  }
}

function headerOf(play: string, options: RunOptions, resumed: Resumed | undefined): RunHeader {
  const { inventory, limit, tags, skipTags, extraVars } = options
  return {
    id: runName(),
    kind: 'run',
    resumes: resumed?.run,
    play: relative(process.cwd(), play),
    inventory,
    options: { limit, tags, skipTags, extraVars },
    started: new Date().toISOString(),
  }
}

/** The same command for what is left. */
function againCommand(
  name: string,
  hosts: readonly string[],
  options: RunOptions,
  isPlan: boolean,
): string | undefined {
  // More names than anybody wants to read: the run's record knows them.
  const isMany = hosts.length > 12
  if (isMany && isPlan) return undefined
  const words = [
    'play',
    isPlan ? 'plan' : 'run',
    name,
    ...(options.inventory === undefined ? [] : ['-i', options.inventory]),
    ...(isMany ? ['--only', 'failed,unreached'] : ['--limit', hosts.join(',')]),
    ...options.tags.flatMap((tag) => ['--tags', tag]),
    ...options.skipTags.flatMap((tag) => ['--skip-tags', tag]),
    ...(options.user === undefined ? [] : ['-u', options.user]),
    ...(options.privateKey === undefined ? [] : ['--private-key', options.privateKey]),
    ...(options.becomePasswordFile === undefined ? [] : ['--become-password-file', options.becomePasswordFile]),
    ...(options.askBecomePass ? ['--ask-become-pass'] : []),
    ...(options.waitForLock === undefined ? [] : ['--wait-for-lock', `${options.waitForLock}s`]),
    ...Object.entries(options.extraVars).flatMap(([variable, value]) => ['-e', `${variable}=${value}`]),
  ]
  return words.map(quote).join(' ')
}
