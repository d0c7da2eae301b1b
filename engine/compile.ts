/** A play for one host: its tasks made, their mistakes collected, conflicts found. */

import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Handler } from '../dsl/handler.ts'
import type { InventoryHost } from '../dsl/inventory.ts'
import { select } from '../dsl/pattern.ts'
import type { HostView, Play } from '../dsl/play.ts'
import type { Wish } from '../dsl/resource.ts'
import { Origin } from '../dsl/origin.ts'
import { flattenTasks, type Task, titleOf } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'
import { type Facts, withNeed } from '../probe/facts.ts'
import { conflicts, waits } from './conflicts.ts'
import type { TaskInfo } from './events.ts'
import type { As } from './host.ts'
import { halfTold } from './half-told.ts'
import { FactWanted } from './lazy-facts.ts'

/** Contents of local files by path; each is read once in a run, or the reason why it cannot be. */
const contents = new Map<string, Uint8Array | string>()

/** A task as one host does it. */
export interface CompiledTask {
  readonly info: TaskInfo
  readonly task: Task
  /** The wishes of its parts and its own, in the order in which they are done. */
  readonly wishes: readonly Wish[]
  readonly handlers: readonly Handler[]
  readonly as: As
  /** Whether its conditions by facts hold on this host. */
  readonly applies: boolean
}

export interface Choice {
  readonly tags: readonly string[]
  readonly skipTags: readonly string[]
}

export interface Compiled {
  readonly tasks: readonly CompiledTask[]
  readonly problems: readonly Failure[]
}

export function compile(
  play: Play,
  host: InventoryHost,
  fleet: readonly InventoryHost[],
  facts: Facts,
  choice: Choice,
): Compiled {
  const problems: Failure[] = []
  let said: readonly Task[]
  try {
    said = flattenTasks(
      play.tasks({ vars: host.vars, facts: withNeed(facts), host: view(host), hosts: hostsOf(play, fleet) }),
    )
  } catch (error) {
    if (error instanceof FactWanted) throw error
    return { tasks: [], problems: [thrown(error, play)] }
  }
  const tasks = supply(said, problems).flatMap((task, index) => {
    if (!chosen(task.keywords.tags, choice)) return []
    const info = infoOf(task, index, play)
    const own = [...problemsOf(task), ...halfTold(task)]
    const wrong = [...own, ...awaitingLater(task, said.slice(index))]
    problems.push(...wrong.map((problem) => problem.at(info.place)))
    try {
      return [compileTask(task, info, play, facts, own.length > 0)]
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      problems.push(error.at(info.place))
      return []
    }
  })
  return { tasks: withSharedHandlers(tasks), problems: [...problems, ...conflicts(tasks)] }
}

/**
 * Of two tasks that wish the same of a place the first one moves it, and the second finds it as desired: what the second
 * would notify is due all the same.
 */
function withSharedHandlers(tasks: readonly CompiledTask[]): readonly CompiledTask[] {
  const first = new Map<string, CompiledTask>()
  const shared = new Map<CompiledTask, Handler[]>()
  for (const by of tasks.filter((compiled) => compiled.applies && !waits(compiled))) {
    for (const wish of by.wishes) {
      if (wish.unclaimed || wish.whole === undefined) continue
      const before = first.get(wish.resource.key)
      if (!before) first.set(wish.resource.key, by)
      else if (before !== by && by.handlers.length > 0 && claimsAlike(before, wish))
        shared.set(before, [...(shared.get(before) ?? []), ...by.handlers])
    }
  }
  if (shared.size === 0) return tasks
  return tasks.map((task) => ({ ...task, handlers: [...task.handlers, ...(shared.get(task) ?? [])] }))
}

function claimsAlike({ wishes }: CompiledTask, { resource, whole }: Wish): boolean {
  return wishes.some((wish) => wish.resource.key === resource.key && isDeepStrictEqual(wish.whole, whole))
}

/** What a task waits for must be before it: its conditions are looked at when its turn has come. */
function awaitingLater(task: Task, later: readonly Task[]): readonly Failure[] {
  return task.keywords.when.flatMap((condition) => {
    if (typeof condition === 'function' || !later.includes(condition.changed)) return []
    const message = `${titleOf(task)} waits for a change of ${titleOf(condition.changed)}, which is not before it.`
    return [new Failure('E_PLAY_INVALID', message, { hint: 'Put the task that it waits for in front of it.' })]
  })
}

/** Gives tasks the local files that they are made from. */
function supply(tasks: readonly Task[], problems: Failure[]): readonly Task[] {
  return tasks.map((task) => {
    if (task.localFiles.length === 0) return task
    const supplied = new Map<string, Uint8Array>()
    for (const path of task.localFiles) {
      const content = contentOf(path)
      if (typeof content !== 'string') supplied.set(path, content)
      else
        problems.push(
          new Failure('E_PLAY_INVALID', `${titleOf(task)}: the local file ${path} ${content}.`, {
            place: task.origin.place,
          }),
        )
    }
    return task.supplied(supplied)
  })
}

function contentOf(path: string): Uint8Array | string {
  const known = contents.get(path)
  if (known !== undefined) return known
  let content: Uint8Array | string
  try {
    content = readFileSync(path)
  } catch (error) {
    content =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `cannot be read (${String(error)})`
  }
  contents.set(path, content)
  return content
}

/** The place costs the text of a stack, so it is made only where somebody reads it. */
function infoOf(task: Task, index: number, play: Play): TaskInfo {
  let place: readonly [TaskInfo['place']] | undefined
  return {
    index,
    module: task.module,
    title: titleOf(task),
    get place() {
      return (place ??= [placeIn(task, play)])[0]
    },
  }
}

function compileTask(task: Task, info: TaskInfo, play: Play, facts: Facts, isWrong: boolean): CompiledTask {
  return {
    info,
    task,
    // What a wrong task wishes may be a place that cannot be named: a path with a NUL byte.
    wishes: isWrong ? [] : wishesOf(task),
    handlers: handlersOf(task),
    as: task.keywords.become ?? play.become,
    applies: applies(task, facts),
  }
}

function applies(task: Task, facts: Facts): boolean {
  try {
    return task.keywords.when.every((condition) => typeof condition !== 'function' || condition(facts))
  } catch (error) {
    if (error instanceof FactWanted || error instanceof Failure) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new Failure('E_PLAY_THREW', `A condition of ${titleOf(task)} threw: ${message}`, { cause: error })
  }
}

/** The line of the play that led to the task; where a helper of another file made it, the line that called the helper. */
function placeIn(task: Task, play: Play): TaskInfo['place'] {
  const file = play.origin.place?.file
  const { places } = task.origin
  return places.find((place) => place.file === file) ?? places[0]
}

function wishesOf(task: Task): readonly Wish[] {
  const wishes = [...task.parts.flatMap(wishesOf), ...task.wishes]
  const { guard } = task.keywords
  return guard ? wishes.map((wish) => ({ ...wish, guard: wish.guard ?? guard })) : wishes
}

function handlersOf(task: Task): readonly Handler[] {
  return [...task.parts.flatMap(handlersOf), ...task.keywords.notify]
}

function problemsOf(task: Task): readonly Failure[] {
  const { unfinished } = task
  const own = unfinished ? [...task.problems, new Failure('E_PLAY_INVALID', unfinished)] : task.problems
  return [...task.parts.flatMap(problemsOf), ...own]
}

function chosen(tags: readonly string[], { tags: wanted, skipTags }: Choice): boolean {
  if (skipTags.some((tag) => tags.includes(tag))) return false
  return wanted.length === 0 || wanted.some((tag) => tags.includes(tag)) || tags.includes('always')
}

function view(host: InventoryHost): HostView {
  return { name: host.name, address: host.address, groups: host.groups, vars: host.vars }
}

function hostsOf(play: Play, fleet: readonly InventoryHost[]) {
  return (pattern: string) => select(pattern, fleet, Object.keys(play.shape.groups)).hosts.map(view) as never
}

function thrown(error: unknown, play: Play): Failure {
  if (error instanceof Failure) return error.at(play.origin.place)
  const place = error instanceof Error ? Origin.of(error).place : undefined
  const message = error instanceof Error ? error.message : String(error)
  return new Failure('E_PLAY_THREW', `The play ${play.name} threw: ${message}`, {
    place: place ?? play.origin.place,
    hint: 'Run `play check`: the compiler may know why.',
    cause: error,
  })
}
