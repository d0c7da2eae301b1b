/** A run, or a plan, from what was prepared to its report and its journal. */

import type { LockedBy } from '../connection/connection.ts'
import type { Play } from '../dsl/play.ts'
import { type Event, eventVersion, type Recap } from '../engine/events.ts'
import { type FleetOptions, fleet } from '../engine/fleet.ts'
import { type Journal, openJournal, type RunHeader } from '../engine/journal.ts'
import { Recorder } from '../engine/recorded.ts'
import { jsonLine } from '../report/json.ts'
import { harmless } from '../report/layout.ts'
import { Story } from '../report/story.ts'
import { bodyText, headText } from '../report/text.ts'
import { connector, simulated } from './connect.ts'
import { type Display, openDisplay } from './display.ts'
import { type ExitStatus, exitStatus, statusOf } from './exit.ts'
import { holderOf } from './lock.ts'
import type { ConnectionOptions, LockOptions, OutputOptions } from './options.ts'
import type { Prepared } from './prepare.ts'
import { keeper } from './run-files.ts'
import { projectSeal } from './seal.ts'
import { fetchSecrets } from './secrets.ts'
import { stopping } from './stop.ts'
import { out, pageOptions } from './terminal.ts'

export interface PerformOptions extends ConnectionOptions, LockOptions, OutputOptions {
  readonly diff?: boolean
  readonly forks: number
}

/** What is performed. */
export interface Performance extends Pick<FleetOptions, 'mandate' | 'planned'> {
  readonly prepared: Pick<Prepared, 'inventory' | 'aimed' | 'tasks' | 'stages'> & { readonly plays: readonly Play[] }
  /** What the report calls it. */
  readonly title: string
  /** What is written of it before it begins; undefined for a plan. */
  readonly header: RunHeader | undefined
  readonly limit: string | undefined
  readonly tags: readonly string[]
  readonly skipTags: readonly string[]
  /** What is told before anything else. */
  readonly first?: readonly Event[]
  /** Nothing is told of it: it is asked only for what comes back. */
  readonly quiet?: boolean
  /** The command that goes on with what is left. */
  readonly again: ((hosts: readonly string[]) => string | undefined) | undefined
}

/** How it came out. */
export interface Performed {
  readonly status: ExitStatus
  /** Whether something is left to be done, as a plan sees it. */
  readonly pending: boolean
  readonly events: readonly Event[]
}

/** @throws Mistakes E_SECRET before any connection */
export async function perform(what: Performance, options: PerformOptions): Promise<Performed> {
  const { prepared, header, limit, tags, skipTags } = what
  await fetchSecrets(prepared.aimed)
  const check = header === undefined
  const interruption = new AbortController()
  const lock = header && {
    holder: holderOf(what.title, header.id),
    wait: options.waitForLock ?? 0,
    signal: interruption.signal,
    waiting: (host: string, { holder, since }: LockedBy) => tell({ type: 'host-waiting', host, holder, since }),
  }
  const connect = await connector({ connection: options, inventory: prepared.inventory.name, keep: !check, lock })
  const journal = header && openJournal(header, new Recorder(projectSeal))
  const report = what.quiet ? noReport : options.output === 'json' ? jsonReport() : await textReport(what, options)
  const stop = stopping({
    first: () => {
      report.stopping()
      interruption.abort()
    },
    second: () => {
      report.close()
      const go = header ? `play resume ${header.id}` : 'the same command'
      process.stderr.write(`\nStopped at once: what was begun on the hosts may be half done. Go on: ${go}\n`)
    },
  })
  const events: Event[] = []
  const tell = (event: Event) => {
    events.push(event)
    report.emit(event)
  }
  let recap: Recap
  try {
    const started = runStarted(what, check)
    journal?.write(started)
    tell(started)
    for (const event of what.first ?? []) tell(event)
    recap = await fleet({
      plays: prepared.plays,
      hosts: prepared.inventory.hosts,
      stages: prepared.stages,
      limit,
      tags,
      skipTags,
      forks: options.forks,
      check,
      connect: connect.host,
      emit: tell,
      stopping: stop.asked,
      seal: projectSeal,
      ...(header && { keep: keeper(header.id) }),
      ...engineOptions(what, journal),
    })
  } finally {
    stop.forget()
    report.close()
  }
  report.finish()
  const isFaulty = events.some((event) => 'failure' in event && event.failure?.code === 'E_INTERNAL')
  const status = isFaulty ? exitStatus.internal : statusOf(recap, stop.asked())
  return { status, pending: events.some(isPending), events }
}

function engineOptions({ mandate, planned }: Performance, journal: Journal | undefined): Partial<FleetOptions> {
  return { ...(journal && { journal }), ...(mandate && { mandate }), ...(planned && { planned }) }
}

function runStarted({ prepared, title, header, limit }: Performance, check: boolean): Event {
  return {
    type: 'run-started',
    run: header?.id,
    play: title,
    inventory: prepared.inventory.path,
    limit,
    hosts: prepared.aimed.map((host) => host.name),
    simulated: prepared.aimed.filter(simulated).map((host) => host.name),
    tasks: prepared.tasks,
    check,
  }
}

function isPending(event: Event): boolean {
  if (event.type === 'reaction') return event.outcome === 'planned'
  return event.type === 'task' && event.outcome === 'changed'
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

const nothing = () => {}
const noReport: Report = { emit: nothing, stopping: nothing, close: nothing, finish: nothing }

function jsonReport(): Report {
  return { ...noReport, emit: (event) => out(jsonLine(event, eventVersion)) }
}

async function textReport({ again, header }: Performance, options: PerformOptions): Promise<Report> {
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
    finish: () => out(bodyText(story, { ...pageOptions(), diff, again, undo: header && `play undo ${header.id}` })),
  }
}
