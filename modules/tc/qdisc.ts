/** The queueing discipline of a network device. */

import { isDeepStrictEqual } from 'node:util'
import { look, type Wish, want } from '../../dsl/resource.ts'
import { irreversible, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { Failure } from '../../errors/failure.ts'
import { nearest } from '../../errors/suggest.ts'
import { contentOf, type FileState } from '../../probe/file.ts'
import { udev, unitFile, unitText, wantedLink, wantedTarget } from './boot-unit.ts'
import { type FqCodel, fqCodelDefaults, type FqCodelOptions, parseFqCodel } from './fq-codel.ts'
import { kernelModule } from './kernel-module.ts'
import { asFqCodel, isRestorable, kernelDefault, type PresentQdisc, type RootQdisc, rootQdisc } from './root-qdisc.ts'

/** A device whose qdisc is not said yet. */
export interface TcQdiscStart {
  /**
   * Fair queueing with controlled delay. All its parameters are owned: one that is not said gets the kernel's default, and
   * only `quantum` stays as it is. Times are compared as the kernel keeps them, in steps of 1024 ns.
   *
   * @example
   * tcQdisc('eth0').fqCodel({ limit: 10240, target: '5ms', interval: '100ms', ecn: true })
   * @see tc-fq_codel(8)
   */
  fqCodel(options?: FqCodelOptions): TcQdisc
  /** No qdisc but the one that the kernel chooses, and no unit that sets one at boot. */
  absent(): TcQdisc
}

/**
 * The qdisc at the root of a network device, now and, by a unit that is bound to the device, whenever it appears.
 *
 * It works where the queue is: on a device that is slower than what sends through it. Refused in the plan: a device that the
 * host does not have, a root that has classes or children (`htb`, `tbf`, `mq`), which would be lost, and a kernel that lacks it.
 *
 * @example
 * tcQdisc(facts.need.defaultInterface).fqCodel({ target: '5ms', interval: '100ms', ecn: true })
 * @see tc(8)
 */
export function tcQdisc(device: string): TcQdiscStart {
  return new TcQdisc(device)
}

/** Kinds that have classes or inner qdiscs, whether any is to be seen or not. */
const classful = [
  'cbq',
  'drr',
  'ets',
  'hfsc',
  'htb',
  'mqprio',
  'multiq',
  'netem',
  'prio',
  'qfq',
  'red',
  'sfb',
  'taprio',
  'tbf',
]

export class TcQdisc extends Task implements TcQdiscStart {
  readonly module = 'tcQdisc'
  readonly id: string
  /** What the play says of fq_codel; undefined for the kernel's default qdisc. */
  readonly wish: Partial<FqCodel> | undefined
  readonly isKeptAtBoot: boolean = true
  readonly isAbsent: boolean = false

  /** @internal Made by `tcQdisc()`. */
  constructor(device: string) {
    super()
    this.id = device
    // As the kernel's own check of a name, which ends at a NUL byte.
    // oxlint-disable-next-line no-control-regex -- a shell word cannot hold one
    if (/^[^\s/:\0]{1,15}$/.test(device) && device !== '.' && device !== '..') return
    return this.wrong(`tcQdisc(${JSON.stringify(device)}): not the name of a network device`)
  }

  fqCodel(options: FqCodelOptions = {}): TcQdisc {
    const { wish, problems } = parseFqCodel(options)
    const set = this.with<TcQdisc>({ wish })
    return problems.reduce((task, problem) => task.wrong(`tcQdisc ${this.id}: ${problem}`), set)
  }

  absent(): TcQdisc {
    return this.with<TcQdisc>({ isAbsent: true, isKeptAtBoot: false })
  }

  /**
   * Whether a unit that is bound to the device sets the qdisc whenever the device appears. Without, there is no such unit.
   * It needs systemd and udev, and is refused in the plan where they do not run. @default true
   */
  atBoot(keep = true): TcQdisc {
    const contrary = keep && !this.wish
    return this.with<TcQdisc>({ isKeptAtBoot: keep }).wrong(
      contrary ? `tcQdisc ${this.id}: no qdisc cannot be kept at boot` : undefined,
    )
  }

  override get unfinished() {
    const says = this.isAbsent || this.wish
    return says ? undefined : `tcQdisc ${this.id} says no qdisc: .fqCodel(), or .absent()`
  }

  get wishes(): readonly Wish[] {
    const device = this.id
    const { wish } = this
    const text = wish && this.isKeptAtBoot ? unitText(device, wish) : undefined
    const unit = text === undefined ? absentFile : (now: FileState, as: Owner) => file(now, text, as)
    const target = wantedTarget(device)
    return [
      ...(wish ? [look(kernelModule('sch_fq_codel'))] : []),
      ...(this.isKeptAtBoot ? [look(udev)] : []),
      want(rootQdisc(device), (now) => asWished(device, wish, now), { whole: wish ?? 'absent' }),
      want(wantedLink(device), this.isKeptAtBoot ? { type: 'link', target } : absentFile, { whole: this.isKeptAtBoot }),
      want(unitFile(device), unit, { whole: text ?? 'absent' }),
    ]
  }

  override judge({ now, changes, facts }: Reading): readonly Verdict[] {
    const device = this.id
    const root = now(rootQdisc(device))
    if (root.type === 'absent') return []
    const verdicts: Verdict[] = []
    if (this.isKeptAtBoot && !(facts.systemd && now(udev))) verdicts.push(unkept(device, facts.systemd))
    if (!changes(rootQdisc(device))) return verdicts
    if (facts.user !== 'root') {
      verdicts.push(
        refuse(
          `${facts.user} may not change the qdisc of ${device}.`,
          'Let the play or the task become root: `.become()`.',
        ),
      )
    }
    verdicts.push(...judgeRoot(device, root))
    if (this.wish && now(kernelModule('sch_fq_codel')) === 'missing') {
      verdicts.push(
        refuse(
          'The kernel of this host has no fq_codel.',
          'Its module is sch_fq_codel; cloud kernels may bring it in a package of their own.',
        ),
      )
    }
    return verdicts
  }
}

interface Owner {
  readonly user: string
  readonly group: string
}

function asWished(device: string, wish: Partial<FqCodel> | undefined, now: RootQdisc): RootQdisc {
  if (!wish) return now.type === 'added' ? kernelDefault : now
  if (now.type === 'absent') throw missing(device, now.devices)
  const is = asFqCodel(now)
  const options: FqCodel = { ...fqCodelDefaults, ...(is && { quantum: is.quantum }), ...wish }
  return isDeepStrictEqual(is, options) ? now : { type: 'added', kind: 'fq_codel', options, children: 0 }
}

function missing(device: string, devices: readonly string[]): Failure {
  const near = nearest(device, devices)
  const hint = `${near ? `Did you mean ${near}? ` : ''}The host has ${devices.join(', ')}; facts.need.defaultInterface is the one of its default route.`
  return new Failure('E_REFUSED', `This host has no network device ${device}.`, { hint })
}

/** What would be lost with the qdisc that is there. */
function judgeRoot(device: string, root: PresentQdisc): readonly Verdict[] {
  if (root.kind === 'mq') {
    const hint =
      "sysctl(…).set('net.core.default_qdisc', 'fq_codel') gives each queue its own, for devices that appear from then on."
    return [
      refuse(
        `${device} has a queue for each processor (mq); one fq_codel at the root would put them all behind one lock.`,
        hint,
      ),
    ]
  }
  if (root.type === 'added' && (classful.includes(root.kind) || root.children !== 0)) {
    const below =
      root.children === 0 ? 'classes' : `${root.children === 1 ? 'a qdisc' : `${root.children} qdiscs`} below it`
    return [
      refuse(
        `${device} has ${root.kind} at its root, whose classes and limits would be lost.`,
        `It has ${below}. Take it away first where nobody needs it: tc qdisc del dev ${device} root`,
      ),
    ]
  }
  if (isRestorable(root)) return []
  return [irreversible(`${device} has ${root.kind}, of which tc does not show all that is needed to put it back`)]
}

function unkept(device: string, systemd: boolean): Verdict {
  const lacks = systemd ? 'udev, which announces devices to systemd, does not run' : 'systemd does not run'
  return refuse(
    `On this host ${lacks}, so nothing would put the qdisc back on ${device} at boot.`,
    'Say `.atBoot(false)` to set it now only.',
  )
}

function file(now: FileState, text: string, { user, group }: Owner): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is in the place of the unit.')
  const content = contentOf(Buffer.from(text))
  return now.type === 'file' ? { ...now, content } : { type: 'file', content, mode: '0644', owner: user, group }
}

function absentFile(now: FileState): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is in the place of the unit.')
  return { type: 'absent' }
}
