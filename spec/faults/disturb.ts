/** A run of the fleet that is disturbed at a point, and everything that must hold afterwards. */

import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { look, remember, type Seen, torn, type Tree, wayBack } from './ground.ts'
import { disagreements, lastRun } from './journal.ts'
import { type Ended, Standing, start, type Target } from './play.ts'
import type { Point } from './points.ts'
import { type Mark, Relay } from './relay.ts'
import type { Role } from './roles.ts'

export type Disturbance =
  /** The process that controls the run is killed. */
  | 'controller'
  /** The connection is torn down. */
  | 'reset'
  /** The connection carries nothing any more, and neither side is told. */
  | 'silence'
  /** The program on the host that runs the scripts is killed. */
  | 'loop'
  /** The script that runs is killed. */
  | 'script'
  /** The connection's own process on the host is killed. */
  | 'sshd'
  | 'power'

/** What one disturbed run came to, for the table. */
export interface Told {
  /** What should not be so. */
  readonly wrong: readonly string[]
  /** Whether the run was still under way. */
  readonly met: boolean
  readonly status: number | undefined
  /** Paths that were as desired then, of those that the play changes; undefined where nobody looked. */
  readonly done: number | undefined
  /** What the host had on record then. */
  readonly pending: readonly string[]
  /** How the work was taken up again. */
  readonly again: string
  /** Seconds of each part. */
  readonly seconds: Readonly<Record<string, number>>
}

/** A host of the fleet between its runs. */
export class Ground {
  readonly target: Target
  readonly role: Role
  /** Of a run that nothing disturbs. */
  readonly marks: readonly Mark[]
  /** Paths that the play changes. */
  readonly owned: readonly string[]
  readonly #standing: Standing
  readonly #desired: Tree
  readonly #back: string

  private constructor(
    target: Target,
    role: Role,
    standing: Standing,
    marks: readonly Mark[],
    trees: readonly [Tree, Tree],
    back: string,
  ) {
    const [before, desired] = trees
    this.target = target
    this.role = role
    this.marks = marks
    this.owned = [...desired.keys()].filter((path) => desired.get(path) !== before.get(path))
    this.#standing = standing
    this.#desired = desired
    this.#back = back
  }

  /** Prepares a host, and learns from two runs what the play makes of it, and how long and how many bytes that takes. */
  static async prepare(target: Target, role: Role): Promise<Ground> {
    const { machine } = target
    await role.prepare(machine)
    await remember(machine)
    const before = await look(machine, role)
    const standing = new Standing(target)
    fine(await standing.run())
    const { tree: desired } = await look(machine, role)
    const back = await wayBack(machine, role, before.tree, desired)
    const trees = [before.tree, desired] as const
    const { tree } = await new Ground(target, role, standing, [], trees, back).fresh()
    none('is not as before, after the way back', torn(tree, before.tree, before.tree))
    const relay = await Relay.to(machine.host.address)
    fine(await start(target, relay).ended)
    await relay.close()
    return new Ground(target, role, standing, relay.marks, trees, back)
  }

  end(): void {
    this.#standing.end()
  }

  /** The host as it was before the play, but that some of its daemons may be stopped; what is there then. */
  async fresh(stop = false): Promise<Seen> {
    const { machine } = this.target
    await machine.on(this.#back)
    if (stop && this.role.stopped) await machine.on(`systemctl disable -q --now ${this.role.stopped}`)
    const seen = await look(machine, this.role)
    none('is not told of what is on the disk', seen.stale)
    return seen
  }

  /** Disturbs a run, looks, goes on, looks, and runs once more. */
  async disturbed(disturbance: Disturbance, point: Point, variant: number): Promise<Told> {
    const { machine } = this.target
    const clock = new Clock()
    const before = await this.fresh(variant % 4 === 3)
    clock.part('reset')
    const relay = await Relay.to(machine.host.address)
    const { met, status } = await this.#struck(disturbance, point, relay)
    clock.part('run')
    const wrong: string[] = []
    const { folder } = this.target
    const run = met ? lastRun(folder) : undefined
    const interrupted = await this.#interrupted()
    // A run whose controller was killed is named by history, whichever point it had come to.
    if (met && status === undefined && interrupted !== run)
      wrong.push(`history calls ${interrupted} interrupted, and not ${run}`)
    // A script that was under way goes on to its end; the next run must cope with that, which every third one tries.
    const quiet = variant % 3 !== 2
    let pending: readonly string[] = []
    let done: number | undefined
    if (quiet) {
      await machine.on(untilQuiet)
      const seen = await look(machine, this.role)
      const moved = this.owned.filter((path) => seen.tree.get(path) !== before.tree.get(path))
      wrong.push(...torn(seen.tree, before.tree, this.#desired))
      if (seen.pending.length === 0) wrong.push(...seen.stale.map((each) => `not on record as due: ${each}`))
      if (run)
        wrong.push(
          ...disagreements(
            folder,
            run,
            seen.tree,
            moved.filter((path) => isPlainFile(seen.tree.get(path)) && isPlainFile(this.#desired.get(path))),
            disturbance === 'power',
          ),
        )
      pending = seen.pending
      done = moved.length
      clock.part('look')
    }
    const again = await this.#again(disturbance, met ? status : 0, interrupted, variant)
    clock.part('next')
    const after = await look(machine, this.role)
    wrong.push(...torn(after.tree, this.#desired, this.#desired))
    for (const name of ['aside', 'pending', 'stale'] as const)
      wrong.push(...after[name].map((each) => `${name} after the next run: ${each}`))
    const last = await this.#standing.run()
    if (!isDeepStrictEqual([last.status, last.told], [0, []]))
      wrong.push(`the last run: ${last.status} ${last.told.join(', ')}`)
    await relay.close()
    await machine.on(untilQuiet)
    wrong.push(
      ...(await machine.on(leftOver))
        .split('\n')
        .filter(Boolean)
        .map((path) => `left over: ${path}`),
    )
    clock.part('last')
    return { wrong, met, status, done, pending, again, seconds: clock.parts }
  }

  /** Starts a run, and strikes when it has come to the point. */
  async #struck(disturbance: Disturbance, { bytes, delay }: Point, relay: Relay) {
    const { machine } = this.target
    let met = false
    let settled: Promise<unknown> = Promise.resolve()
    const { child, ended } = start(this.target, relay)
    const strike = async () => {
      if (disturbance === 'controller') child.kill('SIGKILL')
      else if (disturbance === 'reset') relay.cut('reset')
      else if (disturbance === 'silence') {
        relay.cut('silence')
        // How the controller finds out is a test of its own: here it is the host that nobody told.
        await sleep(200)
        child.kill('SIGKILL')
      } else if (disturbance === 'power') {
        await machine.powerCut()
        relay.cut('reset')
        await machine.up()
      } else met = (await machine.on(killers[disturbance])) !== ''
    }
    const act = () => {
      if (child.exitCode !== null) return
      met = true
      settled = strike()
    }
    relay.at(bytes, () => {
      if (delay === 0) act()
      else setTimeout(act, delay)
    })
    const { status } = await ended
    await settled
    return { met, status }
  }

  /** The run that history calls interrupted, where the last one is. */
  async #interrupted(): Promise<string | undefined> {
    const { stdout } = await this.#standing.say(['history', '--last', '1'])
    return /play resume (\S+)/.exec(stdout)?.[1]
  }

  /** Goes on, by each of the ways in turn. */
  async #again(
    disturbance: Disturbance,
    status: number | undefined,
    interrupted: string | undefined,
    variant: number,
  ): Promise<string> {
    const freed =
      disturbance === 'silence' && (await this.#freed()) ? ', after the session that nobody answers was ended' : ''
    const wait = ['--wait-for-lock', '1m']
    if (interrupted && variant % 2 === 0) {
      fine(await this.#standing.resume(interrupted, ...wait))
      return `resume${freed}`
    }
    if (status === 2 || status === 3) {
      fine(await this.#standing.runLeft(...wait))
      return `run --only failed,unreached${freed}`
    }
    fine(await this.#standing.run(...wait))
    return `run${freed}`
  }

  /** Where nobody has told the host that the connection is gone, its session keeps the lock: does what the refusal advises. */
  async #freed(): Promise<boolean> {
    const { told, stdout } = await this.#standing.run()
    if (!told.some((line) => line.includes('Another run works on this host'))) return false
    const [, pid] = /`kill (\d+)`/.exec(stdout) ?? []
    await this.target.machine.on(`kill ${pid}`)
    return true
  }
}

/** Folders and links come with a file or a unit that the journal names. */
function isPlainFile(line: string | undefined): boolean {
  return line?.startsWith('f ') ?? false
}

function fine({ status, told }: Ended): void {
  if (status !== 0) throw new Error(`a run ended with ${status}:\n${told.join('\n')}`)
}

function none(what: string, wrong: readonly string[]): void {
  if (wrong.length > 0) throw new Error(`${what}: ${wrong.join('; ')}`)
}

class Clock {
  readonly parts: Record<string, number> = {}
  #at = performance.now()

  part(name: string): void {
    const now = performance.now()
    this.parts[name] = (now - this.#at) / 1000
    this.#at = now
  }
}

/** The program on the host is `sh -c 'eval …'`; its folder is in /run, with the number of the script that it runs. */
const loops = "pgrep -f '^sh -c eval '"
/** Kills what is there by then, within five seconds, and prints its number. */
const killing = (find: string) => `n=0
while [ $n -lt 100 ]; do
  for p in $(${find}); do kill -KILL "$p" 2>/dev/null && echo "$p"; done | grep . && exit
  n=$((n + 1)); sleep 0.05
done
true`
const killers = {
  loop: killing(loops),
  script: killing('cat /run/fleetplay.*/pid 2>/dev/null'),
  sshd: killing(`for p in $(${loops}); do awk '{ print $4 }' "/proc/$p/stat"; done 2>/dev/null`),
} as const

/** Until no script of ours runs any more. */
const untilQuiet = `n=0
while [ $n -lt 300 ]; do
  busy=
  for f in /run/fleetplay.*/pid; do [ -e "$f" ] && read -r p <"$f" && [ -d "/proc/$p" ] && busy=$p; done
  [ "$busy" ] || exit 0
  n=$((n + 1)); sleep 0.1
done
echo "script $busy still runs" >&2; exit 1`

const leftOver = `for d in /run/fleetplay.* /dev/shm/fleetplay.* /tmp/fleetplay.*; do [ ! -e "$d" ] || echo "$d"; done`
