/** What should be there: a module's wishes, with the keywords that every task has. */

import { Failure } from '../errors/failure.ts'
import type { Facts } from '../probe/facts.ts'
import type { Guard } from './guard.ts'
import type { Handler } from './handler.ts'
import { Origin } from './origin.ts'
import type { Resource, Wish } from './resource.ts'
import { type Duration, seconds } from './units.ts'

/** Whether a task is done on a host: from its facts (known before), or whether another task changed something (known when reached). */
export type Condition = ((facts: Facts) => boolean) | Changed

export interface Changed {
  readonly changed: Task
}

/** Holds where the task changed something in this run. */
export function changed(task: Task): Changed {
  return { changed: task }
}

export interface Retry {
  /** Attempts in all. */
  readonly times: number
  /** Pause between two attempts. */
  readonly delay: Duration
}

export interface Keywords {
  readonly name: string | undefined
  readonly when: readonly Condition[]
  readonly notify: readonly Handler[]
  readonly tags: readonly string[]
  /** The user to become; undefined as the play says. */
  readonly become: string | undefined
  readonly retry: Retry | undefined
  /** Seconds that its scripts may take; undefined for the run's own limit. */
  readonly timeout: number | undefined
  readonly ignoreErrors: boolean
  /** The configuration test that all its writes are under. */
  readonly guard: Guard | undefined
}

/** What `judge` looks at: the values now and as wished, and the facts. */
export interface Reading {
  readonly facts: Facts
  readonly now: <T>(resource: Resource<T>) => T
  readonly desired: <T>(resource: Resource<T>) => T
  /** Whether the plan would change the place. */
  readonly changes: (resource: { readonly key: string }) => boolean
  /** Whether the value now is sure: no earlier task of the plan may yet move the place. */
  readonly certain: (resource: { readonly key: string }) => boolean
}

export type Verdict =
  | Refusal
  /** What a reader should know beside the change; `always` also where nothing changes. */
  | { readonly kind: 'note'; readonly text: string; readonly always?: true }
  /** The change cannot be turned round. */
  | { readonly kind: 'irreversible'; readonly why: string }

/** It cannot or must not be done here. */
export interface Refusal {
  readonly kind: 'refuse'
  readonly reason: string
  readonly hint: string | undefined
}

export function refuse(reason: string, hint?: string): Refusal {
  return { kind: 'refuse', reason, hint }
}

export function note(text: string): Verdict {
  return { kind: 'note', text }
}

/** A note that is told also where nothing changes: what is waited for, and how long still. */
export function standingNote(text: string): Verdict {
  return { kind: 'note', text, always: true }
}

export function irreversible(why: string): Verdict {
  return { kind: 'irreversible', why }
}

const noKeywords: Keywords = {
  name: undefined,
  when: [],
  notify: [],
  tags: [],
  become: undefined,
  retry: undefined,
  timeout: undefined,
  ignoreErrors: false,
  guard: undefined,
}

/**
 * A task of a play. Modules extend it; it is immutable, every keyword gives a new one.
 * A chain that is not finished has no `wishes`, so it is not a task, and a play that holds it does not compile.
 */
export abstract class Task {
  /** The module's name, as the play calls it: `sysctl`. */
  abstract readonly module: string
  /** What of its kind it is: `99-udp-dns-tuning`. */
  abstract readonly id: string
  readonly origin: Origin = Origin.here()
  readonly keywords: Keywords = noKeywords
  /** What is wrong with how it was made. All are told before any connection. */
  readonly problems: readonly Failure[] = []

  /** What the task wishes, in the order in which it is done. */
  abstract get wishes(): readonly Wish[]

  /** Tasks that this one is made of, done in order before its own wishes; its keywords reach them all. */
  get parts(): readonly Task[] {
    return []
  }

  /** Absolute paths of local files that the task is made from. They are read before any connection; a missing one is wrong input. */
  get localFiles(): readonly string[] {
    return []
  }

  /** The same task with the contents of its local files. */
  supplied(_contents: ReadonlyMap<string, Uint8Array>): this {
    return this
  }

  /** What the chain lacks, where it is not finished: for plays that were loaded without a type check. */
  get unfinished(): string | undefined {
    return undefined
  }

  /** Refuses, notes or declares irreversible, from what was read. */
  judge(_reading: Reading): readonly Verdict[] {
    return []
  }

  /** The name in reports, instead of module and id. */
  named(name: string): this {
    return this.keyword({ name })
  }

  /** Does the task only where the condition holds. Several conditions must all hold. */
  when(condition: Condition): this {
    return this.keyword({ when: [...this.keywords.when, condition] })
  }

  /** Runs the handlers at the end of the play, once each, where this task changed something. */
  notify(...handlers: readonly Handler[]): this {
    return this.keyword({ notify: [...this.keywords.notify, ...handlers] })
  }

  /** Words by which `--tags` and `--skip-tags` choose. */
  tags(...tags: readonly string[]): this {
    return this.keyword({ tags: [...this.keywords.tags, ...tags] })
  }

  /** Does the task as another user than the play says. @default root */
  become(user = 'root'): this {
    return this.keyword({ become: user })
  }

  /** Tries again where the task fails: so many attempts in all, with a pause between them. */
  retry(times: number, delay: Duration = '2s'): this {
    const problem =
      !Number.isInteger(times) || times < 1 ? `retry takes a whole number from 1, not ${times}` : undefined
    const pause = seconds(delay)
    return this.keyword({ retry: { times, delay } }).wrong(
      problem ?? (typeof pause === 'number' ? undefined : pause.problem),
    )
  }

  /** How long the task's scripts may take before the host ends them. @default 10m */
  timeout(limit: Duration): this {
    const result = seconds(limit)
    return typeof result === 'number' ? this.keyword({ timeout: result }) : this.wrong(result.problem)
  }

  /** Goes on with the host's next task where this one fails. The failure is told all the same. */
  ignoreErrors(): this {
    return this.keyword({ ignoreErrors: true })
  }

  /**
   * Puts back all that the task wrote where a configuration test fails after it, together with its neighbours under the same
   * test. The daemon that it is for is not touched then.
   */
  guardedBy(guard: Guard): this {
    return this.keyword({ guard })
  }

  /** The same task with other fields, checked against the module's own type: `this.with<Sysctl>({ entries })`. */
  protected with<T extends Task>(fields: Partial<T>): this {
    return Object.freeze(Object.assign(Object.create(Object.getPrototypeOf(this)) as this, this, fields))
  }

  /** The same task, with a mistake noted where there is one; for modules. The line is the one that calls. */
  protected wrong(problem: string | undefined, hint?: string): this {
    if (problem === undefined) return this
    const failure = new Failure('E_PLAY_INVALID', problem, { place: Origin.here().place, hint })
    return this.with<Task>({ problems: [...this.problems, failure] })
  }

  private keyword(keywords: Partial<Keywords>): this {
    return this.with<Task>({ keywords: { ...this.keywords, ...keywords } })
  }
}

/** What a report calls a task. */
export function titleOf(task: Task): string {
  return task.keywords.name ?? `${task.module} ${task.id}`
}

/** A list of tasks as plays write it: nested lists and values that stand for nothing are fine. */
export type TaskList = readonly (Task | TaskList | undefined | false)[]

export function flattenTasks(list: TaskList): readonly Task[] {
  return list.flatMap((entry) => {
    if (entry instanceof Task) return [entry]
    if (Array.isArray(entry)) return flattenTasks(entry as TaskList)
    if (entry === undefined || entry === false) return []
    // Only a play that was loaded without a type check comes here.
    throw new Failure('E_PLAY_INVALID', `A list of tasks holds what is no task: ${describe(entry)}.`)
  })
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? `a ${value.constructor.name}` : JSON.stringify(value)
}
