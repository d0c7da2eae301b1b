/** A dead man's switch on a host: armed before the writes, it puts them back when its time is over, unless a new login confirms them. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadMansSwitch } from '../dsl/dead-mans-switch.ts'
import { Failure } from '../errors/failure.ts'
import { Probe } from '../probe/probe.ts'
import { stateFolder } from '../probe/state-folder.ts'
import { type Script, sh } from '../shell/script.ts'
import { inTurn } from '../shell/tested.ts'
import type { CompiledTask } from './compile.ts'
import { putBack } from './guarded.ts'
import { type As, type Host, isMove, type Step, type StepEnd } from './host.ts'
import { clearing, nameOf, type PendingReaction } from './pending.ts'
import { clock, type Due, dueHandlers } from './react.ts'

/** How the script ends that puts everything back, where that is not all that there is to say. */
const ends = {
  /** Something could not be put back. */
  notPutBack: 102,
  /** It was claimed before: it is being put back, or has been, or was confirmed. */
  claimed: 103,
} as const

/** What became of the writes inside a switch. */
export type Settled =
  | { readonly kept: true }
  | {
      readonly kept: false
      readonly failure: Failure
      /** Whether the host has put them back, or will have. */
      readonly isPutBack: boolean
      /** Why the host is lost, where it is. */
      readonly lost: Failure | undefined
    }

/** How far the writes and handlers inside a switch came. */
export interface Came {
  /** Why one of them failed. */
  readonly failure: Failure | undefined
  /** Nothing of it is there: it was not begun, or a configuration test had it put back. */
  readonly isUndone: boolean
  /** Why the host is lost, where it is. */
  readonly lost: Failure | undefined
}

const name = "dead man's switch"

export class Armed {
  /** Before the writes. */
  readonly arm: Step
  /** After them: the handlers of the tasks, each once. */
  readonly reactions: readonly Step[]
  readonly due: readonly Due[]
  /** By a new login, or where nothing is to be put back. */
  readonly confirm: Step
  readonly #fire: Step
  readonly #until: Date

  /** @param steps those of the task, all of which can be turned round */
  constructor(compiled: CompiledTask, { seconds }: Pick<DeadMansSwitch, 'seconds'>, steps: readonly Step[], now: Date) {
    const moves = steps.filter(isMove)
    const { as, info } = compiled
    const id = randomBytes(6).toString('hex')
    // The process counts seconds of sleep, and has then something to do.
    this.#until = new Date(now.getTime() + (seconds * 1.02 + 2) * 1000)
    this.due = dueHandlers([compiled])
    const handlers = this.due.map(({ handler }) => clearing(handler))
    const record = recordOf(id, info.title, now)
    const armed = { ...record, until: this.#until.toISOString() }
    const back = [...moves.toReversed().map(putBack), ...handlers.map(({ script }) => script)]
    this.arm = {
      ...step(as, `arm the ${name}`, arming(id, seconds, { armed, fired: fired(record, id), back })),
      pending: { noted: armed },
    }
    this.reactions = handlers.map(({ key, absorbs, name: label, script }) => {
      const both = step(as, label, script)
      return { ...both, resource: { ...both.resource, key }, pending: { cleared: [key, ...absorbs] } }
    })
    const disarmed = { cleared: [record.key] }
    this.confirm = { ...step(as, `confirm the ${name}`, confirming(id)), deadline: seconds, pending: disarmed }
    // Where the network was cut, the answer comes when the host has put it back by itself.
    const deadline = Math.max(10, seconds)
    this.#fire = { ...step(as, 'put back', firing(id)), deadline, pending: disarmed, undoes: moves }
  }

  /** Confirms what was done by a new login; else lets the host put it back, at once where it can be told to. */
  async settle(host: Host, as: As, came: Came): Promise<Settled> {
    if (came.lost !== undefined) return this.#bySelf(came.lost.message, came.lost)
    if (came.failure && came.isUndone) {
      await host.apply([this.confirm], as)
      return { kept: false, failure: came.failure, isPutBack: false, lost: undefined }
    }
    const failure = came.failure ?? (await this.#confirmed(host, as))
    return failure ? this.#putBack(host, as, failure) : { kept: true }
  }

  /** Why it could not be confirmed. */
  async #confirmed(host: Host, as: As): Promise<Failure | undefined> {
    try {
      const attempt = host.anew([this.confirm], as)
      // One that comes through later finds nothing to confirm.
      attempt.catch(() => {})
      const [end] = await Promise.race([attempt, this.#late()])
      if (!(end instanceof Failure)) return undefined
      const late = end.seen?.status === ends.claimed
      return late ? new Failure('E_LOCKED_OUT', 'The new login came too late.') : end
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      // Its remedy is for a login that never worked.
      const { message, seen } = error
      return new Failure('E_LOCKED_OUT', `Nobody could log in after the change: ${message}`, {
        seen,
        cause: error,
      })
    }
  }

  async #late(): Promise<never> {
    await sleep(Math.max(0, this.#until.getTime() - Date.now()), undefined, { ref: false })
    throw new Failure('E_DEADLINE', 'The new login took longer than the time of the switch.')
  }

  /** By the session that is still there. */
  async #putBack(host: Host, as: As, failure: Failure): Promise<Settled> {
    let end: StepEnd
    try {
      end = (await host.apply([this.#fire], as))[0]!
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return this.#bySelf(failure.message, error, failure)
    }
    const status = end instanceof Failure ? end.seen?.status : undefined
    if (end instanceof Failure && status === ends.notPutBack) {
      const hint = `Not all of it could be put back: ${end.message} See to it by hand; the host keeps what it tried below switches of /var/lib/fleetplay.`
      return { kept: false, failure: failure.hinting(hint), isPutBack: false, lost: undefined }
    }
    if (end instanceof Failure && status !== ends.claimed) return this.#bySelf(failure.message, undefined, failure)
    const hint = [failure.hint, 'What it had changed was put back.'].filter(Boolean).join(' ')
    return { kept: false, failure: failure.hinting(hint), isPutBack: true, lost: undefined }
  }

  /** Nobody can tell the host any more; it does so by itself. */
  #bySelf(why: string, lost: Failure | undefined, first?: Failure): Settled {
    const until = clock(this.#until.toISOString())
    const by = `What was changed, the host puts back by itself; it will have done so by ${until}.`
    const failure = new Failure('E_LOCKED_OUT', `${why} ${by}`, {
      seen: first?.seen,
      cause: first ?? lost,
      hint: 'The next run says whether it has.',
    })
    return { kept: false, failure, isPutBack: true, lost }
  }
}

function step(as: As, label: string, script: Script): Step {
  const key = `switch:${as ?? ''}`
  return {
    resource: { key, label, read: Probe.known(null), unprovable: true },
    from: null,
    to: null,
    script,
    deadline: 0,
  }
}

/** What tells the next run that a switch was left armed. */
function recordOf(id: string, because: string, now: Date): PendingReaction {
  const script = sh`echo 'it was armed, and has neither been confirmed nor has it put the change back' >&2; exit 1`
  const bare = { input: undefined, absorbs: [], because: [because], since: now.toISOString() }
  return { key: `switch:${id}`, name, script: script.text, ...bare }
}

/** What tells the next run that a switch has put a change back, or failed to. */
function fired(record: PendingReaction, id: string): PendingReaction {
  const script = sh`${stateFolder}
f=$state/switches/${id}.fired/failed
[ ! -e "$f" ] || { cat -- "$f" >&2; exit 1; }`
  return { ...record, name: `${name}: nobody had confirmed the change, so the host put it back`, script: script.text }
}

interface Kept {
  readonly armed: PendingReaction
  readonly fired: PendingReaction
  /** What puts everything back, in order. */
  readonly back: readonly Script[]
}

/** Keeps what is to be done on the host, and starts the process that does it; fails where that is not seen to run. */
function arming(id: string, seconds: number, { armed, fired: later, back }: Kept): Script {
  const { steps, input } = inTurn(back)
  const record = `${nameOf(armed)}.json`
  return sh`umask 077
${stateFolder}
command -v setsid >/dev/null || { echo 'there is no setsid on this host, so nothing would put the change back' >&2; exit 1; }
w=$state/switches/${id}
mkdir -p -- "$state/pending" "$w" && dd bs=65536 conv=fsync status=none of="$w/input" || exit
printf '%s\n' ${program(steps, record)} >"$w/run" && printf '%s\n' ${JSON.stringify(later)} >"$w/fired.json" || exit
printf '%s\n' ${JSON.stringify(armed)} >"$w/armed.json" && sync && mv -f -- "$w/armed.json" "$state/pending/"${record} || exit
setsid sh "$w/run" "$w" ${seconds} </dev/null >/dev/null 2>&1 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&- &
n=0
until [ -e "$w/up" ]; do
  n=$((n + 1))
  [ $n -le 50 ] || { echo 'the process that would put the change back did not start' >&2; exit 1; }
  sleep 0.1 || sleep 1
done`
    .reading(input)
    .touches()
    .called(`arm the ${name}`)
}

/** Waits so many seconds, unless the switch is confirmed meanwhile. Whoever renames its folder first has it, and nobody else. */
function program(steps: readonly string[], record: string): string {
  return `cd /
trap '' HUP
w=$1
: >"$w/up"
n=$2
while [ "$n" -gt 0 ]; do
sleep 1
[ -d "$w" ] || exit 0
n=$((n - 1))
done
mv -- "$w" "$w.fired" 2>/dev/null || exit ${ends.claimed}
p=\${w%/switches/*}/pending/${record} w=$w.fired
FLEETPLAY_TMP=$w/tmp
export FLEETPLAY_TMP
mkdir -- "$FLEETPLAY_TMP"
{
exec 3<"$w/input" </dev/null
${steps.join('\n')}
} 2>"$w/said"
if [ "$left" ]; then
mv -f -- "$w/said" "$w/failed"
mv -f -- "$w/fired.json" "$p"
cat -- "$w/failed" >&2
exit ${ends.notPutBack}
fi
if [ "$2" -eq 0 ]; then rm -f -- "$p"; else mv -f -- "$w/fired.json" "$p"; fi
rm -rf -- "$w"
rmdir -- "\${w%/*}" 2>/dev/null
exit 0`
}

function confirming(id: string): Script {
  return sh`${stateFolder}
w=$state/switches/${id}
mv -- "$w" "$w.confirmed" 2>/dev/null || { echo 'the change had been put back before' >&2; exit ${ends.claimed}; }
rm -f -- "$state/pending/"${`${nameOf({ key: `switch:${id}` })}.json`}
rm -rf -- "$w.confirmed"
rmdir -- "$state/switches" 2>/dev/null || :`
    .touches()
    .called(`confirm the ${name}`)
}

/** Lets the host put everything back now. */
function firing(id: string): Script {
  return sh`${stateFolder}
w=$state/switches/${id}
[ -d "$w" ] || exit ${ends.claimed}
exec sh "$w/run" "$w" 0`.called('put back')
}
