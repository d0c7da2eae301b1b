/** A run as text: what changed grouped by identical outcome, reactions, failures, a recap; a plan in the future tense. */

import type { Event } from '../engine/events.ts'
import { failureOn } from './failure.ts'
import { count, harmless, told, width } from './layout.ts'
import { type Columns, Page, type PageOptions } from './page.ts'
import { type ChangeEntry, type Entry, type ObservationEntry, Story } from './story.ts'

/** A line of a unified diff, with what it is. */
export interface DiffLine {
  readonly kind: 'added' | 'removed' | 'context' | 'range'
  readonly text: string
}

/** Compares two texts. */
export type Differ = (before: string, after: string) => readonly DiffLine[]

export interface TextOptions extends PageOptions {
  /** Shows texts that changed by their lines. */
  readonly diff: Differ | undefined
  /** The command that goes on with these hosts. */
  readonly again: ((hosts: readonly string[]) => string | undefined) | undefined
  /** The command that turns the run round. */
  readonly undo?: string | undefined
}

/**
 * The whole report of a run or a plan.
 *
 * @example
 * textReport(events, { color: false, width: 80, folder: process.cwd(), diff: undefined, again: undefined })
 */
export function textReport(events: Iterable<Event>, options: TextOptions): string {
  const story = new Story(options.diff !== undefined)
  for (const event of events) story.add(event)
  return headText(story, options) + bodyText(story, options)
}

/** The first lines: what, for whom, and whether it is a simulation. */
export function headText({ started }: Story, options: PageOptions): string {
  if (!started) return ''
  const page = new Page(options)
  const { strong, faint, advice } = page.paint
  const { play, limit, hosts, tasks, inventory, simulated, check } = started
  const parts = [limit, count(hosts.length, 'host'), count(tasks, 'task'), inventory].filter(
    (part) => part !== undefined,
  )
  page.line(
    `${check ? `${advice('plan')} · ` : ''}${strong(harmless(play))}${faint(` · ${parts.map((part) => harmless(part)).join(' · ')}`)}`,
  )
  if (simulated.length > 0) {
    const who = simulated.length === hosts.length ? 'These hosts are' : `${simulated.length} of these hosts are`
    page.prose(`${who} simulated: they are in memory, and nothing is connected to.`, 0, advice)
    page.prose('For real hosts write inventory/production.ts, and choose it with -i production.', 0, advice)
  }
  return page.text
}

/** All that is told when a run has ended. */
export function bodyText(story: Story, options: TextOptions): string {
  const page = new Page(options, columnsFor(story, options))
  const planned = story.started?.check ?? false
  const { faint, good, changed, bad } = page.paint
  for (const [i, { titles, hosts, reason }] of story.skipped.entries()) {
    if (i === 0) page.section(faint(planned ? 'would skip' : 'skipped'))
    page.entry(skippedTitle(titles), hosts, { beside: skippedReason(titles, harmless(reason)) })
  }
  for (const [i, entry] of story.changed.entries()) {
    if (i === 0) page.section(changed(planned ? 'would change' : 'changed'))
    changeOn(page, entry, options.diff)
  }
  for (const [i, { title, hosts, place, notes }] of story.noted.entries()) {
    if (i === 0) page.section(page.paint.advice('as desired, with a note'))
    page.entry(harmless(title), hosts, { beside: place ? told(place, options.folder) : '' })
    for (const text of notes) page.prose(`note: ${harmless(text)}`, 4, page.paint.advice)
  }
  for (const [i, { title, hosts, because }] of story.reacted.entries()) {
    if (i === 0) page.section(good(planned ? 'would react' : 'reacted'))
    page.entry(harmless(title), hosts, { beside: `because of ${because.map((task) => harmless(task)).join(', ')}` })
  }
  for (const [i, entry] of story.observed.entries()) {
    if (i === 0) page.section(good('observed'))
    observationOn(page, entry)
  }
  for (const [i, { hosts, reason }] of story.notBegun.entries()) {
    if (i === 0) page.section(bad('not begun'))
    page.prose(hosts.join(' '), 2)
    page.prose(reason, 4, faint)
  }
  for (const [i, { hosts, failure, task }] of story.unreachable.entries()) {
    if (i === 0) page.section(bad('unreachable'))
    page.prose(hosts.join(' '), 2, page.paint.strong)
    if (task)
      page.prose(`lost at ${harmless(task.title)}${task.place ? `, ${told(task.place, options.folder)}` : ''}`, 4)
    // What many hosts are told alike is told with the last of them.
    const next = story.unreachable[i + 1]?.failure
    failureOn(page, next?.hint === failure.hint ? { ...failure, hint: undefined } : failure, 4)
  }
  for (const [i, { title, hosts, place, failure, ignored, changes, notes, because }] of story.failed.entries()) {
    if (i === 0) page.section(bad(planned ? 'would fail' : 'failed'))
    const at = failure.place ?? place
    page.entry(`${harmless(title)}${ignored ? ' (ignored)' : ''}`, hosts, {
      beside: at ? told(at, options.folder) : '',
      all: true,
    })
    if (because.length > 0)
      page.prose(`because of ${because.map((title) => harmless(title)).join(', ')}`, 4, page.paint.faint)
    failureOn(page, failure, 4)
    for (const text of notes) page.prose(`note: ${harmless(text)}`, 4, page.paint.advice)
    if (changes.length > 0) page.prose('changed before it failed:', 4, page.paint.changed)
    for (const change of changes) page.change(harmless(change.label), shown(change.before), shown(change.after), ' ')
  }
  recapOn(page, story, options)
  return page.text
}

function changeOn(
  page: Page,
  { title, hosts, place, changes, notes, irreversible }: ChangeEntry,
  diff: Differ | undefined,
): void {
  const { faint, advice, changed } = page.paint
  const dependsOn = [...new Set(changes.flatMap((change) => change.dependsOn))]
  page.entry(harmless(title), hosts, {
    mark: dependsOn.length > 0 ? '~' : ' ',
    beside: place ? told(place, page.folder) : '',
  })
  for (const change of changes) {
    page.change(
      harmless(change.label),
      shown(change.before),
      shown(change.after),
      change.dependsOn.length > 0 ? '~' : ' ',
    )
    if (change.unprovable) page.prose('runs, and cannot be proved afterwards', 6, faint)
    if (diff && change.diff) for (const line of diff(change.diff.before, change.diff.after)) diffOn(page, line)
  }
  if (dependsOn.length > 0) page.prose(`~ depends on ${dependsOn.map((task) => harmless(task)).join(', ')}`, 4, changed)
  for (const text of notes) page.prose(`note: ${harmless(text)}`, 4, advice)
  for (const why of irreversible) page.prose(`cannot be turned round: ${harmless(why)}`, 4, changed)
}

function observationOn(page: Page, { title, hosts, place, says, table, files, failure }: ObservationEntry): void {
  const { faint, changed } = page.paint
  page.entry(harmless(title), hosts, {
    mark: failure ? '!' : ' ',
    beside: place ? told(place, page.folder) : '',
  })
  if (says !== '') page.prose(harmless(says), 4)
  for (const line of table) page.line(`      ${faint(harmless(line))}`)
  for (const path of files) page.prose(harmless(path), 4, faint)
  if (failure) {
    page.prose(`not as expected: ${harmless(failure.message)}`, 4, changed)
    if (failure.hint) page.prose(harmless(failure.hint), 4, changed)
  }
}

function diffOn(page: Page, { kind, text }: DiffLine): void {
  const { good, bad, faint, advice } = page.paint
  const style = { added: good, removed: bad, context: faint, range: advice }[kind]
  page.line(`      ${style(harmless(text, '\t'))}`)
}

/** A value on a line; what is nothing is said to be empty. */
function shown(value: string): string {
  return value === '' ? 'empty' : harmless(value)
}

/** Hosts and values begin after the longest title or label, places after the longest list of hosts, where room is left. */
function columnsFor(story: Story, options: TextOptions): Columns {
  const { changed, failed, reacted, observed, skipped } = story
  const entries: readonly Entry[] = [...changed, ...failed, ...reacted, ...observed]
  const lengths = [
    ...changed.flatMap(({ changes }) => changes.map(({ label }) => width(harmless(label)) + 4)),
    ...entries.map(({ title }) => width(harmless(title)) + 2),
    ...skipped.map(({ titles }) => width(skippedTitle(titles)) + 2),
  ]
  // One that is longer than the others may stand on a line of its own.
  const limit = Math.max(24, Math.floor(options.width * 0.42))
  const value = Math.max(24, ...lengths.filter((length) => length + 2 <= limit).map((length) => length + 2))
  const longest = Math.max(15, ...[...entries, ...skipped].map(({ hosts }) => width(hosts.join(' '))))
  const place = Math.max(0, ...entries.map((entry) => (entry.place ? width(told(entry.place, options.folder)) : 0)))
  const room = options.width - value
  return { value, hosts: Math.min(longest, room - place - 2 >= 15 ? room - place - 2 : room) }
}

function skippedTitle(titles: readonly string[]): string {
  return titles.length === 1 ? harmless(titles[0]!) : count(titles.length, 'task')
}

/** Events tell a reason of each task: `the host failed before it`. */
function skippedReason(titles: readonly string[], reason: string): string {
  return titles.length === 1 ? reason : reason.replace(/\bbefore it\b/, 'before them')
}

function recapOn(page: Page, story: Story, { again, undo }: TextOptions): void {
  if (!story.finished) return
  const { recap, interrupted } = story.finished
  const { bad, faint } = page.paint
  const planned = story.started?.check ?? false
  const hosts = counts(page, { ...recap.hosts }, planned)
  const tasks = counts(page, { ...recap.tasks }, planned)
  const cost = `${recap.seconds.toFixed(1)} s · ${count(recap.trips, 'trip')} a host`
  page.line()
  if (interrupted) page.line(bad('  interrupted; what was begun was finished'))
  if (8 + hosts.width + 13 + tasks.width + 6 + width(cost) <= page.width) {
    page.line(`  hosts  ${hosts.text}      tasks  ${tasks.text}      ${faint(cost)}`)
  } else {
    page.line(`  hosts  ${hosts.text}`)
    page.line(`  tasks  ${tasks.text}`)
    page.line(`  ${faint(cost)}`)
  }
  const left = [
    ...new Set(
      [...story.failed.filter((f) => !f.ignored), ...story.unreachable, ...story.notBegun].flatMap((e) => e.hosts),
    ),
  ]
  const command = left.length > 0 ? again?.(left) : undefined
  if (command !== undefined) page.line(`  ${faint('again on what is left:')}  ${command}`)
  if (undo && story.changed.length > 0) page.line(`  ${faint('turn it round:')}  ${undo}`)
}

/** `ok 13 · changed 3`: what is fine always, the others where there are any, each in its colour. */
function counts(
  page: Page,
  numbers: Readonly<Record<string, number>>,
  planned: boolean,
): { text: string; width: number } {
  const { good, changed, bad, faint } = page.paint
  const kinds = [
    ['ok', 'ok', good],
    ['changed', planned ? 'to change' : 'changed', changed],
    ['failed', planned ? 'would fail' : 'failed', bad],
    ['unreachable', 'unreachable', bad],
    ['skipped', 'skipped', faint],
  ] as const
  const parts = kinds.flatMap(([kind, word, style]) => {
    const n = numbers[kind]
    if (n === undefined || (n === 0 && kind === 'skipped')) return []
    return [{ plain: `${word} ${n}`, styled: n === 0 ? faint(`${word} ${n}`) : style(`${word} ${n}`) }]
  })
  return {
    text: parts.map(({ styled }) => styled).join(' · '),
    width: width(parts.map(({ plain }) => plain).join(' · ')),
  }
}
