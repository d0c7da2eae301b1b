/** What is going on, for a terminal that is drawn again and again: a line for each host, or a summary where there are many. */

import type { Event, Outcome } from '../engine/events.ts'
import { clip, count, harmless, pad, width } from './layout.ts'
import { type Paint, paint } from './paint.ts'

export interface LiveOptions {
  readonly color: boolean
  /** Columns and rows of the terminal. */
  readonly width: number
  readonly rows: number
  /** The time in milliseconds, by the clock of the events. */
  readonly now: number
}

interface HostLine {
  readonly name: string
  state: 'waiting' | 'connecting' | 'working' | Outcome
  done: number
  of: number
  /** What it is at, or what became of it. */
  at: string
  phase: string
  /** When its turn came, and when it came to what it is at. */
  began: number
  since: number
  changes: number
}

/** Columns of a bar. */
const barWidth = 24

export class Live {
  readonly #hosts = new Map<string, HostLine>()

  /** @param now milliseconds */
  add(event: Event, now: number): void {
    switch (event.type) {
      case 'run-started':
        for (const name of event.hosts) {
          this.#hosts.set(name, {
            name,
            state: 'waiting',
            done: 0,
            of: 0,
            at: '',
            phase: '',
            began: now,
            since: now,
            changes: 0,
          })
        }
        return
      case 'host-started':
        this.#update(event.host, { state: 'connecting', done: 0, of: 0, at: '', began: now, since: now })
        return
      case 'host-waiting':
        this.#update(event.host, { at: `waits for ${event.holder ?? 'another run'}`, since: now })
        return
      case 'connected':
        this.#update(event.host, { state: 'working', done: 0, of: event.tasks, at: '', phase: 'read', since: now })
        return
      case 'progress':
        // A proof goes back to the first of the tasks that it proves; what is done stays done.
        this.#update(event.host, {
          done: Math.max(event.done, this.#hosts.get(event.host)?.done ?? 0),
          of: event.of,
          at: event.phase === 'plan' || event.phase === 'apply' ? event.title : '',
          phase: event.phase,
          since: now,
        })
        return
      case 'task': {
        const host = this.#hosts.get(event.host)
        if (!host) return
        if (event.outcome === 'changed') host.changes++
        if (event.outcome === 'failed' && !event.ignored) host.at = event.task.title
        if (event.outcome === 'failed') host.done = event.task.index
        return
      }
      case 'unreachable':
        this.#update(event.host, { at: event.failure.message })
        return
      case 'host-finished': {
        const host = this.#hosts.get(event.host)
        if (!host) return
        host.state = worse(host.state, event.outcome)
        if (event.outcome === 'ok' || event.outcome === 'changed') host.done = host.of
        return
      }
      case 'play-started':
      case 'batch-started':
      case 'reaction':
      case 'observation':
      case 'not-begun':
      case 'run-finished':
        return
    }
  }

  /** The lines of this moment, not more than the terminal has room for. */
  lines(options: LiveOptions): readonly string[] {
    const room = Math.max(3, options.rows - 2)
    const hosts = [...this.#hosts.values()]
    const style = paint(options.color)
    return hosts.length <= room
      ? hosts.map((host) => hostLine(host, hosts, options, style))
      : summary(hosts, room, options, style)
  }

  /** How many hosts there are. */
  get size(): number {
    return this.#hosts.size
  }

  #update(name: string, fields: Partial<HostLine>): void {
    const host = this.#hosts.get(name)
    if (host) Object.assign(host, fields)
  }
}

/** `  web2  ━━━━━━━━━━━━━━━╸          12/18  nginxEarlyHints coaching · apply 0.4 s` */
function hostLine(host: HostLine, all: readonly HostLine[], options: LiveOptions, style: Paint): string {
  const longest = Math.min(24, Math.max(...all.map(({ name }) => width(name))))
  const name = pad(clip(host.name, longest), longest)
  if (host.state === 'unreachable') {
    const room = options.width - longest - 17
    return `  ${name}  ${style.bad('unreachable')}  ${style.faint(clip(harmless(host.at), room))}`
  }
  const digits = Math.max(...all.map(({ of }) => String(of).length))
  const bar = barWidth > options.width / 3 ? Math.floor(options.width / 3) : barWidth
  const drawn = drawBar(host.of === 0 ? 0 : host.done / host.of, bar, host.state, style)
  const numbers =
    host.of === 0
      ? ' '.repeat(2 * digits + 1)
      : `${String(host.done).padStart(digits)}/${String(host.of).padEnd(digits)}`
  const used = 2 + longest + 2 + bar + 2 + (2 * digits + 1) + 2
  return `  ${name}  ${drawn}  ${numbers}  ${telling(host, options, options.width - used - 1, style)}`.trimEnd()
}

function telling(host: HostLine, { now }: LiveOptions, room: number, style: Paint): string {
  switch (host.state) {
    case 'waiting':
      return ''
    case 'connecting':
    case 'working': {
      const took = `${((now - host.since) / 1000).toFixed(1)} s`
      const phase = host.state === 'working' ? `${host.phase} ${took}` : host.at === '' ? `connecting ${took}` : took
      if (host.at === '') return style.faint(clip(phase, room))
      return style.faint(clip(`${clip(harmless(host.at), Math.max(8, room - width(phase) - 3))} · ${phase}`, room))
    }
    case 'failed':
      return style.bad(clip(`failed at ${harmless(host.at)}`, room))
    case 'changed':
      return style.changed(clip(`${host.changes} changed`, room))
    case 'skipped':
      return style.faint(clip('skipped', room))
    case 'ok':
    case 'unreachable':
      return style.faint(clip('nothing to change', room))
  }
}

function drawBar(share: number, columns: number, state: HostLine['state'], style: Paint): string {
  const halves = Math.round(share * columns * 2)
  const text = '━'.repeat(Math.floor(halves / 2)) + (halves % 2 === 1 ? '╸' : '')
  const color = state === 'failed' ? style.bad : state === 'changed' ? style.changed : style.good
  return color(text) + ' '.repeat(columns - width(text))
}

/** One bar for all hosts, how they ended, and those that work longest at what they are at. */
function summary(hosts: readonly HostLine[], room: number, options: LiveOptions, style: Paint): readonly string[] {
  const working = hosts
    .filter(({ state }) => state === 'working' || state === 'connecting')
    .toSorted((a, b) => a.began - b.began)
  const ended = hosts.filter((host) => host.state !== 'waiting' && !working.includes(host))
  const bad = ended.some(({ state }) => state === 'failed' || state === 'unreachable')
  const bar = drawBar(ended.length / hosts.length, barWidth, bad ? 'failed' : 'ok', style)
  const parts = (['ok', 'changed', 'failed', 'unreachable'] as const).flatMap((kind) => {
    const n = ended.filter(({ state }) => state === kind).length
    const color = { ok: style.good, changed: style.changed, failed: style.bad, unreachable: style.bad }[kind]
    return n === 0 ? [] : [color(`${kind} ${n}`)]
  })
  const first = `  ${bar}  ${ended.length}/${count(hosts.length, 'host')}   ${parts.join(' · ')}`.trimEnd()
  const shown = working.slice(0, Math.min(room - 2, 10))
  const lines = shown.map((host) => hostLine(host, shown, options, style))
  const others = working.length - shown.length
  const waiting = hosts.length - ended.length - working.length
  const rest = [others > 0 ? `${others} more at work` : '', waiting > 0 ? `${waiting} to come` : '']
    .filter(Boolean)
    .join(' · ')
  return [first, ...lines, ...(rest === '' ? [] : [style.faint(`  ${rest}`)])]
}

function worse(before: HostLine['state'], now: Outcome): Outcome {
  const order: readonly HostLine['state'][] = [
    'waiting',
    'working',
    'ok',
    'skipped',
    'changed',
    'unreachable',
    'failed',
  ]
  return order.indexOf(before) > order.indexOf(now) ? (before as Outcome) : now
}
