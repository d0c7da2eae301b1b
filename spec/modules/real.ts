/** Rounds of real tasks through every shell of this machine, in a temporary folder. */

import { lstatSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TaskList } from '../../dsl/task.ts'
import type { Host } from '../../engine/host.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { keptOpen } from '../../testing/kept-open.ts'
import { Folder, type ShellName, shells } from '../connection/shells.ts'
import { runTasks } from '../run-tasks.ts'

/** What the scripts of these modules call, so that busybox's own are tried with its shell. */
const applets =
  'cat chmod chown dd head id ln mkdir mkfifo mv readlink rm rmdir setsid sha256sum sleep stat uname wc'.split(' ')

/** Without bash in POSIX mode, which differs where the wire cares, and not here. */
export const realShells = shells.filter(({ name }) => name !== 'bash --posix')

/** A temporary folder to work in, on a host whose `sh` is one of the shells. */
export class Real {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), "fleetplay it's real ")))
  readonly tools: Folder
  #host: RemoteHost | undefined

  constructor(shell: ShellName) {
    this.tools = new Folder(shell)
    if (shell === 'busybox ash') for (const name of applets) this.tools.program(name, `exec busybox ${name} "$@"`)
  }

  path(name: string): string {
    return join(this.root, name)
  }

  text(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  /** Identity and time of what is at a path: other where it was written. */
  mark(name: string): string {
    const { ino, mtimeNs, ctimeNs, mode } = lstatSync(this.path(name), { bigint: true })
    return `${ino} ${mtimeNs} ${ctimeNs} ${mode.toString(8)}`
  }

  entries(): readonly string[] {
    return readdirSync(this.root).toSorted()
  }

  host(): RemoteHost {
    const options = { become: 'sudo', becomePassword: undefined } as const
    return new RemoteHost('here', () => Promise.resolve(this.tools.connection()), options)
  }

  /** One session for all runs: a login and its greeting cost more than what most of them do. */
  #standing(): Host {
    return keptOpen((this.#host ??= this.host()))
  }

  async run(tasks: TaskList, { check = false } = {}) {
    const host = this.#standing()
    await host.facts(undefined)
    const greeted = host.trips
    const events = await runTasks(host, tasks, { check })
    if (events.some(({ type }) => type === 'unreachable')) this.#host = undefined
    const told = events.filter((event) => event.type === 'task')
    return {
      /** Beside the greeting. */
      trips: host.trips - greeted,
      told,
      events,
      outcomes: told.map(({ outcome }) => outcome),
      failures: told.flatMap(({ failure }) => (failure ? [failure.message] : [])),
      changes: told.flatMap(({ changes }) =>
        changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`),
      ),
    }
  }

  /** For what comes next in the same session. */
  clear(): void {
    for (const name of this.entries()) rmSync(this.path(name), { recursive: true })
  }

  async remove(): Promise<void> {
    await this.#host?.close()
    rmSync(this.root, { recursive: true, force: true })
    this.tools.remove()
  }
}

/** Everything different that is read from before something is done until it is done, in its order. */
export async function seenMeanwhile(read: () => string, act: () => Promise<unknown>): Promise<readonly string[]> {
  const seen = new Set([read()])
  let acting = true
  const acted = act().finally(() => {
    acting = false
  })
  while (acting) {
    seen.add(read())
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await acted
  return [...seen.add(read())]
}
