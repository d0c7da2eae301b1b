/** Changes that can lock us out: the host itself puts them back, unless somebody can still log in to it. */

import { Observation } from './observation.ts'
import { flattenTasks, type Keywords, Task, type TaskList, titleOf } from './task.ts'
import { type Duration, seconds } from './units.ts'

/**
 * Does tasks that can lock us out of a host, such as those for sshd, a firewall or the network. The host puts all of it back
 * by itself when the time is over, unless it was logged in to anew after the change, and told that all is well.
 *
 * The handlers that the tasks notify run inside the switch, at once: a new configuration of sshd acts only then. The new login
 * is a connection of its own, so it meets the new configuration; only through a client that shares one connection for many
 * logins (ControlMaster of OpenSSH) it proves less. Where nobody can log in, what was changed is put back at once by the
 * session that is still there; where that one is cut off too, the host does so when the time is over. Either way the task
 * has failed.
 *
 * All of it is planned together and travels together, so a task inside cannot rest on what another one inside makes first (a
 * file in a new directory): put that before the switch.
 *
 * The time must be enough for the tasks, their handlers and a login; a change that cannot be turned round is refused in the
 * plan. What waits on the host is a process: it outlives our session, and not a reboot. Where a host was restarted within the
 * time, the change is still there, the next plan is refused, and tells so.
 *
 * @param time from a second up; a minute or two leaves room for a slow login
 * @example
 * deadMansSwitch('2min', line('/etc/ssh/sshd_config').present('AllowUsers deploy').guardedBy(sshdTest()).notify(restart('ssh')))
 */
export function deadMansSwitch(time: Duration, ...tasks: TaskList): DeadMansSwitch {
  const all = flattenTasks(tasks)
  const limit = seconds(time)
  return new DeadMansSwitch(typeof limit === 'number' ? limit : 1, all).checked(
    typeof limit === 'number'
      ? limit < 1
        ? `the time of a dead man's switch is at least 1s, not ${time}`
        : undefined
      : limit.problem,
  )
}

export class DeadMansSwitch extends Task {
  readonly module = 'deadMansSwitch'
  readonly tasks: readonly Task[]
  /** Whole seconds until the host puts it back. */
  readonly seconds: number

  /** @internal Made by `deadMansSwitch()`. */
  constructor(time: number, tasks: readonly Task[]) {
    super()
    this.tasks = tasks
    this.seconds = Math.ceil(time)
  }

  /** @internal The same with what is wrong with it, the first mistake of each task. */
  checked(problem: string | undefined): this {
    const all = [problem, ...this.tasks.map(unfit)]
    return all.reduce<this>((task, each) => task.wrong(each), this)
  }

  get id(): string {
    const [first, ...others] = this.tasks.map(titleOf)
    return others.length > 0 ? `${first} and ${others.length} more` : (first ?? 'of nothing')
  }

  get wishes(): readonly [] {
    return []
  }

  override get parts(): readonly Task[] {
    return this.tasks
  }

  override get localFiles(): readonly string[] {
    return this.tasks.flatMap(({ localFiles }) => localFiles)
  }

  override supplied(contents: ReadonlyMap<string, Uint8Array>): this {
    return this.with<DeadMansSwitch>({ tasks: this.tasks.map((task) => task.supplied(contents)) })
  }

  /** Cannot be said: what was put back must be looked at before it is tried again. */
  override retry(): this {
    return this.wrong(
      "retry: a dead man's switch is tried once",
      'Look why nobody could log in, and run the play again.',
    )
  }
}

/** Why a task cannot be inside. */
function unfit(task: Task): string | undefined {
  if (task instanceof Observation)
    return `${titleOf(task)} inside a dead man's switch changes nothing: put it after the switch`
  if (task instanceof DeadMansSwitch)
    return "a dead man's switch inside another is of no use: the outer one puts all back"
  const said = Object.entries(alone).find(([keyword, unsaid]) => !unsaid(task.keywords[keyword as keyof Keywords]))
  return (
    said &&
    `${said[0]} is said of ${titleOf(task)} inside a dead man's switch: say it of the switch, it is for all of its tasks`
  )
}

const isUnset = (value: unknown) => value === undefined
const isEmpty = (value: unknown) => (value as readonly unknown[]).length === 0

/** Keywords that are the switch's own, and when they are not said. */
const alone = {
  when: isEmpty,
  tags: isEmpty,
  become: isUnset,
  retry: isUnset,
  timeout: isUnset,
  ignoreErrors: (value: unknown) => value === false,
} as const
