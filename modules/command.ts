/** Commands, with a guard that says whether they are still due. */

import { pathProblem } from '../dsl/host-path.ts'
import { type Resource, want, type Wish } from '../dsl/resource.ts'
import { irreversible, type Reading, Task, type Verdict } from '../dsl/task.ts'
import { Failure } from '../errors/failure.ts'
import { type Output, Probe, tail } from '../probe/probe.ts'
import { lines, Script, sh } from '../shell/script.ts'

/** A command of which it is not said when it is due. */
export interface CommandStart {
  /**
   * It is done where the path exists.
   *
   * @example
   * command('unpack', sh`tar -xzf /srv/app.tar.gz -C /srv`).creates('/srv/app/VERSION')
   */
  creates(path: string): Command
  /**
   * It is done where this script succeeds. The script is a question: it must change nothing, and reads no standard input.
   *
   * @example
   * command('schema', sh`mysql shop < /srv/schema.sql`).unless(sh`mysql shop -e 'select 1 from orders limit 1'`)
   */
  unless(guard: Script): Command
  /**
   * It is due while this script succeeds, and must make it fail. The script is a question: it must change nothing, and
   * reads no standard input.
   *
   * @example
   * command('reload units', sh`systemctl daemon-reload`).onlyIf(sh`systemctl show nginx -p NeedDaemonReload | grep -q yes`)
   */
  onlyIf(guard: Script): Command
  /** It runs every time. Nothing can be seen of it afterwards: it is told as ran, not provable. */
  always(): Command
  /** The directory in which it and its guards run. @default / */
  in(directory: string): CommandStart
  /**
   * The places that it changes, as keys (`unit:nginx.service`, `file:/etc/hosts`) or prefixes (`unit:*`); none for none.
   * Where it is not said, it may change anything, and everything after it is read again.
   */
  touching(...keys: readonly string[]): CommandStart
}

/**
 * A command that no module has a word for. It must say when it is done: a guard is asked before, and again afterwards.
 * Where it then still is due, the task has failed, whatever the command's exit status said. With several guards it is
 * done where one of them says so.
 *
 * Guards are asked in the batch of questions, in check mode too, so they must only look. The exit statuses 126 and more
 * (no such command, ended by a signal) are no answer, and refused in the plan. Without a guard it is not a task.
 * A command cannot be turned round.
 *
 * @example
 * command('dhparam', sh`openssl dhparam -out /etc/ssl/dhparam.pem 2048`).creates('/etc/ssl/dhparam.pem')
 */
export function command(name: string, script: Script): CommandStart {
  return new Command(name, script)
}

export type Guard =
  | { readonly kind: 'creates'; readonly path: string }
  | { readonly kind: 'unless' | 'onlyIf'; readonly script: Script }

export class Command extends Task implements CommandStart {
  readonly module = 'command'
  readonly id: string
  readonly script: Script
  readonly guards: readonly Guard[] = []
  readonly isAlways: boolean = false
  readonly directory: string | undefined
  readonly touched: readonly string[] | undefined

  /** @internal Made by `command()`. */
  constructor(name: string, script: Script) {
    super()
    this.id = name
    this.script = script
    // Without the compiler a command line comes in the place of both.
    if (!(script instanceof Script)) {
      return this.wrong("command takes a name and a script: command('dhparam', sh`openssl dhparam …`)")
    }
    if (name.trim() === '') return this.wrong('command: the name is empty')
  }

  creates(path: string): Command {
    return this.guarded({ kind: 'creates', path }, pathProblem(path))
  }

  unless(guard: Script): Command {
    return this.guarded({ kind: 'unless', script: guard }, inputProblem(guard))
  }

  onlyIf(guard: Script): Command {
    return this.guarded({ kind: 'onlyIf', script: guard }, inputProblem(guard))
  }

  always(): Command {
    const guarded = this.guards.length > 0 ? `command ${this.id} has a guard, and runs always` : undefined
    return this.with<Command>({ isAlways: true }).wrong(guarded)
  }

  in(directory: string): Command {
    const problem = pathProblem(directory)
    return this.with<Command>({ directory }).wrong(problem && `command ${this.id}: ${problem}`)
  }

  touching(...keys: readonly string[]): Command {
    const wrong = keys.find((key) => !/^\w+:./.test(key))
    const problem =
      wrong === undefined ? undefined : `${JSON.stringify(wrong)} is no key such as unit:nginx.service or unit:*`
    return this.with<Command>({ touched: [...(this.touched ?? []), ...keys] }).wrong(problem)
  }

  override get unfinished() {
    if (this.isAlways || this.guards.length > 0) return undefined
    return `command ${this.id} does not say when it is due: end it with .creates(), .unless(), .onlyIf() or .always()`
  }

  get wishes(): readonly Wish[] {
    const { id, script, guards, directory, touched } = this
    const run = inside(directory, script)
    const place = commandState(
      id,
      touched ? run.touches(...touched) : run,
      guards.map((guard) => question(guard, directory)),
    )
    return [want(place, 'done', { whole: { script: run.text, guards } })]
  }

  override judge({ changes }: Reading): readonly Verdict[] {
    return changes(commandState(this.id)) ? [irreversible('What a command did cannot be turned round.')] : []
  }

  private guarded(guard: Guard, problem: string | undefined): Command {
    const always = this.isAlways ? `command ${this.id} runs always, and has a guard` : undefined
    const next = this.with<Command>({ guards: [...this.guards, guard] })
    return next.wrong(problem && `command ${this.id}, ${guard.kind}: ${problem}`).wrong(always)
  }
}

/** Whether a command is still to be run. */
export type CommandState = 'due' | 'done'

/** Whether one guard says that the command is done. */
interface Question {
  readonly script: Script
  readonly done: (succeeded: boolean) => boolean
}

/** What its guards say of a command; due always where it has none. Mock hosts need its name only. */
export function commandState(name: string, script?: Script, guards: readonly Question[] = []): Resource<CommandState> {
  const place: Resource<CommandState> = {
    key: `command:${name}`,
    read: guards.length === 0 ? Probe.known('due') : asked(name, guards),
    fresh: 'due',
    ...(script && {
      write: (to) => {
        if (to === 'done') return script
        throw new Failure('E_REFUSED', `What the command ${name} did cannot be turned round.`)
      },
    }),
  }
  return guards.length === 0 ? { ...place, unprovable: true } : { ...place, opaque: true }
}

function asked(name: string, guards: readonly Question[]): Probe<CommandState> {
  const probes = guards.map(({ script, done }) => Probe.script(script, (output) => done(succeeded(name, output))))
  return Probe.all(Object.fromEntries(probes.entries())).map((answers) => {
    return Object.values(answers).some(Boolean) ? 'done' : 'due'
  })
}

/** The shell's own words for «there is no such command» must not be taken for a no. */
function succeeded(name: string, { status, stderr, stdout }: Output): boolean {
  if (status < 126) return status === 0
  throw new Failure('E_UNREADABLE', `The guard of the command ${name} could not be asked.`, {
    seen: { command: `guard of ${name}`, status, output: tail(stderr || stdout.toString()) },
  })
}

function question(guard: Guard, directory: string | undefined): Question {
  if (guard.kind === 'creates') {
    return { script: sh`[ -e ${guard.path} ] || [ -L ${guard.path} ]`, done: (succeeded) => succeeded }
  }
  const script = inside(directory, guard.script)
  return { script, done: (succeeded) => succeeded === (guard.kind === 'unless') }
}

/** A directory that is not there is no answer of a guard. */
function inside(directory: string | undefined, script: Script): Script {
  return directory === undefined
    ? script
    : lines(sh`cd -- ${directory} || exit 126`.touches(), script).called(script.brief)
}

function inputProblem({ input }: Script): string | undefined {
  return input === undefined ? undefined : 'a guard has no standard input'
}
