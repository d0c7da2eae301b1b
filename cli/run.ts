/** `play run` and, with nothing changed, `play plan`: from arguments to a run, its report and an exit status. */

import { quote } from '../shell/quote.ts'
import { type Event, eventVersion, type Recap } from '../engine/events.ts'
import { fleet } from '../engine/fleet.ts'
import { jsonLine } from '../report/json.ts'
import { Story } from '../report/story.ts'
import { harmless } from '../report/layout.ts'
import { bodyText, headText } from '../report/text.ts'
import { connector, simulated } from './connect.ts'
import { type Display, openDisplay } from './display.ts'
import { type ExitStatus, exitStatus, statusOf } from './exit.ts'
import { holderOf } from './lock.ts'
import type { ChoiceOptions, ConnectionOptions, InventoryOptions, LockOptions, OutputOptions } from './options.ts'
import { prepare } from './prepare.ts'
import { keeper, runName } from './run-files.ts'
import { stopping } from './stop.ts'
import { out, pageOptions } from './terminal.ts'

export interface RunOptions extends InventoryOptions, ConnectionOptions, ChoiceOptions, LockOptions, OutputOptions {
  readonly check?: boolean
  readonly diff?: boolean
  readonly forks: number
  /** `play plan --exit-code`: 10 where changes are pending. */
  readonly exitCode?: boolean
}

/** @throws Mistakes before any connection */
export async function run(name: string, options: RunOptions): Promise<ExitStatus> {
  const prepared = await prepare(name, options)
  const check = options.check ?? false
  const id = runName()
  const connect = await connector({
    connection: options,
    inventory: prepared.inventory.name,
    keep: !check,
    lock: check
      ? undefined
      : {
          holder: holderOf(prepared.play.name, id),
          wait: options.waitForLock ?? 0,
          waiting: (host, { holder, since }) => emit({ type: 'host-waiting', host, holder, since }),
        },
  })
  const report = options.output === 'json' ? jsonReport() : await textReport(name, options)
  const stop = stopping({
    first: report.stopping,
    second: () => {
      report.close()
      process.stderr.write('\nStopped at once: what was begun on the hosts may be half done. Run it again.\n')
    },
  })
  let recap: Recap
  let faulty = false
  /** Something is left to be done, as a plan sees it. */
  let pending = false
  const emit = (event: Event) => {
    if ('failure' in event && event.failure?.code === 'E_INTERNAL') faulty = true
    if (event.type === 'reaction' && event.outcome === 'planned') pending = true
    if (event.type === 'task' && event.outcome === 'changed') pending = true
    report.emit(event)
  }
  try {
    emit({
      type: 'run-started',
      play: prepared.play.name,
      inventory: prepared.inventory.path,
      limit: options.limit,
      hosts: prepared.aimed.map((host) => host.name),
      simulated: prepared.aimed.filter(simulated).map((host) => host.name),
      tasks: prepared.tasks,
      check,
    })
    recap = await fleet({
      plays: prepared.play.plays,
      hosts: prepared.inventory.hosts,
      limit: options.limit,
      stages: prepared.stages,
      tags: options.tags,
      skipTags: options.skipTags,
      forks: options.forks,
      check,
      connect: connect.host,
      emit,
      stopping: stop.asked,
      keep: keeper(id),
    })
  } finally {
    stop.forget()
    report.close()
  }
  report.finish()
  if (faulty) return exitStatus.internal
  const status = statusOf(recap, stop.asked())
  return status === exitStatus.fine && options.exitCode && pending ? exitStatus.pending : status
}

interface Report {
  readonly emit: (event: Event) => void
  /** A first Ctrl-C came. */
  readonly stopping: () => void
  /** Gives the terminal back. */
  readonly close: () => void
  /** Tells what is told at the end. */
  readonly finish: () => void
}

function jsonReport(): Report {
  const nothing = () => {}
  return { emit: (event) => out(jsonLine(event, eventVersion)), stopping: nothing, close: nothing, finish: nothing }
}

async function textReport(name: string, options: RunOptions): Promise<Report> {
  const story = new Story(options.diff ?? false)
  const diff = options.diff ? (await import('../report/diff.ts')).unifiedDiff : undefined
  let display: Display | undefined
  if (process.stdout.isTTY) display = await openDisplay()
  return {
    emit: (event) => {
      story.add(event)
      if (event.type === 'run-started') out(headText(story, pageOptions()))
      if (display) display.add(event)
      else if (event.type === 'host-waiting')
        process.stderr.write(`${event.host} waits for ${harmless(event.holder ?? 'another run')} to end.\n`)
    },
    stopping: () => {
      if (display) display.stopping()
      else process.stderr.write('Finishing the tasks in hand; Ctrl-C again stops now.\n')
    },
    close: () => display?.close(),
    finish: () => {
      const again = (hosts: readonly string[]) => againCommand(name, hosts, options)
      out(bodyText(story, { ...pageOptions(), diff, again }))
    },
  }
}

/** The same command for some hosts. */
function againCommand(name: string, hosts: readonly string[], options: RunOptions): string {
  const words = [
    'play',
    options.check ? 'plan' : 'run',
    name,
    ...(options.inventory === undefined ? [] : ['-i', options.inventory]),
    '--limit',
    hosts.join(','),
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
