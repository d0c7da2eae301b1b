/** Runs with a journal in a temporary folder, and runs that turn them round. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { InventoryHost } from '../../dsl/inventory.ts'
import type { Play } from '../../dsl/play.ts'
import { shape } from '../../dsl/shape.ts'
import type { TaskList } from '../../dsl/task.ts'
import type { Event } from '../../engine/events.ts'
import { fleet } from '../../engine/fleet.ts'
import { readRun, type RunRecord } from '../../engine/history.ts'
import type { Host } from '../../engine/host.ts'
import { type JournalLine, openJournal, type RunHeader } from '../../engine/journal.ts'
import type { Mandate } from '../../engine/mandate.ts'
import { Recorder } from '../../engine/recorded.ts'
import { sealWith } from '../../engine/sealed.ts'
import { type Undoing, type UndoOptions, undoing } from '../../engine/undo.ts'

const fleetOf = shape({ groups: {} })

/** A play on all hosts, as the user who logs in. */
export function playOf(name: string, tasks: TaskList): Play {
  return fleetOf.play(name).hosts('all').tasks(tasks)
}

export function inventoryHost(name: string, vars: Readonly<Record<string, unknown>> = {}): InventoryHost {
  return { name, address: name, groups: [], carrier: 'ssh', ssh: {}, become: 'sudo', vars }
}

export interface Told {
  readonly events: readonly Event[]
  readonly record: RunRecord
  /** Each task with its outcome, and why where there is more to say. */
  readonly tasks: readonly string[]
  readonly reactions: readonly string[]
}

interface RecordedOptions {
  readonly check?: boolean
  readonly mandate?: (at: { readonly play: string; readonly host: string }) => Mandate
  readonly kind?: RunHeader['kind']
  readonly fleet?: readonly InventoryHost[]
}

/** The runs of one project. */
export class Records {
  readonly folder = mkdtempSync(join(tmpdir(), 'fleetplay-runs-'))
  readonly recorder = new Recorder(() => sealWith(Buffer.alloc(32, 7)))
  #count = 0

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true }))
  }

  file(id = `run${this.#count}`): string {
    return join(this.folder, id, 'journal.jsonl')
  }

  text(id?: string): string {
    return readFileSync(this.file(id), 'utf8')
  }

  lines(id?: string): readonly JournalLine[] {
    const whole = this.text(id).split('\n').filter(Boolean)
    return whole.map((line) => JSON.parse(line) as JournalLine)
  }

  async run(plays: Play | readonly Play[], hosts: readonly Host[], options: RecordedOptions = {}): Promise<Told> {
    const events: Event[] = []
    const id = `run${++this.#count}`
    const header: RunHeader = {
      id,
      kind: options.kind ?? 'run',
      play: 'plays/p.ts',
      inventory: undefined,
      options: { limit: undefined, tags: [], skipTags: [], extraVars: {} },
      started: '2026-01-01T00:00:00.000Z',
    }
    const { check = false, mandate } = options
    await fleet({
      plays: Array.isArray(plays) ? (plays as readonly Play[]) : [plays as Play],
      hosts: options.fleet ?? hosts.map(({ name }) => inventoryHost(name)),
      limit: undefined,
      tags: [],
      skipTags: [],
      forks: 10,
      check,
      connect: ({ name }) => hosts.find((host) => host.name === name)!,
      emit: (event) => events.push(event),
      stopping: () => false,
      ...(check ? {} : { journal: openJournal(header, this.recorder, this.folder) }),
      ...(mandate && { mandate }),
    })
    return {
      events,
      record: check ? (undefined as never) : readRun(id, this.folder),
      tasks: events.flatMap((event) => (event.type === 'task' ? [line(event)] : [])),
      reactions: events.flatMap((event) => (event.type === 'reaction' ? [`${event.handler} ${event.outcome}`] : [])),
    }
  }

  turned(record: RunRecord, plays: Play | readonly Play[], options: Partial<UndoOptions> = {}): Undoing {
    return undoing(record, {
      plays: Array.isArray(plays) ? (plays as readonly Play[]) : [plays as Play],
      fleet: record.hosts.map(({ host }) => inventoryHost(host)),
      chooses: () => true,
      recorder: this.recorder,
      ...options,
    })
  }

  /** Turns a run round on the hosts that it was on, as it is done when the plan was agreed to. */
  async undo(
    record: RunRecord,
    plays: Play | readonly Play[],
    hosts: readonly Host[],
    options: Partial<UndoOptions> & { readonly check?: boolean } = {},
  ): Promise<Told> {
    const turned = this.turned(record, plays, options)
    const { check = false } = options
    const all = check ? turned.plays : [...turned.plays, ...turned.onceMore]
    return this.run(all, hosts, { check, kind: 'undo' })
  }
}

function line({ task, outcome, changes, failure, reason }: Extract<Event, { type: 'task' }>): string {
  const moved = changes.map(({ label, before, after }) => `${label} ${before} → ${after}`).join(', ')
  return [`${task.title}: ${outcome}`, failure?.message ?? reason ?? moved].filter(Boolean).join(', ')
}
