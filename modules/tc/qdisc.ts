/** The queueing discipline of a network device. */

import { isDeepStrictEqual } from 'node:util'
import { look, type Wish, want } from '../../dsl/resource.ts'
import { type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { Failure } from '../../errors/failure.ts'
import { nearest } from '../../errors/suggest.ts'
import { contentOf, type FileState } from '../../probe/file.ts'
import { udev, unitFile, unitText, wantedLink, wantedTarget } from './boot-unit.ts'
import { cake, type CakeOptions, parseCake } from './cake.ts'
import type { Discipline, Values, Wished } from './discipline.ts'
import { fq, type FqOptions, parseFq } from './fq.ts'
import { fqCodel, type FqCodelOptions, parseFqCodel } from './fq-codel.ts'
import { htb, type HtbOptions, parseHtb } from './htb.ts'
import { kernelQdiscs } from './kernel-qdiscs.ts'
import type { Said } from './parameters.ts'
import { networkdQdiscs } from './networkd-qdiscs.ts'
import { judgeKernel, judgeNetworkd, judgeRoot, unkept } from './qdisc-judge.ts'
import { kernelDefault, type RootQdisc, rootQdisc, valuesOf } from './root-qdisc.ts'
import { parseTbf, tbf, type TbfOptions } from './tbf.ts'

/** A device whose qdisc is not said yet. */
export interface TcQdiscStart {
  /**
   * Fair queueing with controlled delay. All its parameters are owned: one that is not said gets the kernel's default, and
   * only `quantum` stays as it is. Times are compared as the kernel keeps them, in steps of 1024 ns.
   *
   * Flows that send little go first, whatever they carry: it knows neither WebRTC nor DSCP, and has no classes of priority; `cake()`
   * with `diffserv` reads DSCP.
   *
   * @example
   * tcQdisc('eth0').fqCodel({ limit: 10240, target: '5ms', interval: '100ms', ecn: true })
   * @see tc-fq_codel(8)
   */
  fqCodel(options?: FqCodelOptions): TcQdisc
  /**
   * Fair queueing that paces each flow: for hosts that send much over TCP, BBR above all. All its parameters are owned: one that
   * is not said gets the kernel's default, and only `quantum` and `initialQuantum` stay as they are, as do the bands of
   * packets, which newer kernels have.
   *
   * @example
   * tcQdisc('eth0').fq({ flowLimit: 200, maxrate: '100mbit' })
   * @see tc-fq(8)
   */
  fq(options?: FqOptions): TcQdisc
  /**
   * A shaper and fair queue in one. All its parameters are owned: one that is not said gets the kernel's default. Rates are
   * bits in a second, in units of 1000; what is no whole number of bytes is refused, since the kernel would cut it.
   *
   * @example
   * tcQdisc('eth0').cake({ bandwidth: '95mbit', diffserv: 'diffserv4', rtt: '50ms', overhead: 18 })
   * @see tc-cake(8)
   */
  cake(options?: CakeOptions): TcQdisc
  /**
   * A token bucket that holds all traffic to a rate. How long its queue may become is a time or an amount; with `fqCodel`,
   * that queues behind it, so that the slow link is shared fairly and its queue is short: a «smart queue».
   *
   * Refused is a bucket smaller than a full frame, which would then never pass, and what the kernel cannot keep in 32 bits.
   * The peak rate and the overhead of the line are not said here; a bucket that has them is not replaced.
   *
   * @example
   * tcQdisc('eth0').tbf({ rate: '8mbit', burst: '32KiB', fqCodel: { target: '5ms' } })
   * @example
   * tcQdisc('eth0').tbf({ rate: '8mbit', burst: '32KiB', latency: '50ms' })
   * @see tc-tbf(8)
   */
  tbf(options: TbfOptions): TcQdisc
  /**
   * The root of a tree of classes. Owned are its own parameters only; the classes, their filters and what queues in them
   * belong to whoever makes them. The kernel does not change these parameters of a root that is there, and a new one has no
   * classes: other parameters are refused in the plan while it has any.
   *
   * @example
   * tcQdisc('eth0').htb({ default: '0x10', r2q: 100 })
   * @see tc-htb(8)
   */
  htb(options?: HtbOptions): TcQdisc
  /** No qdisc but the one that the kernel chooses, and no unit that sets one at boot. */
  absent(): TcQdisc
}

/**
 * The qdisc at the root of a network device, now and, by a unit that is bound to the device, whenever it appears.
 *
 * It works where the queue is: on a device that is slower than what sends through it, or behind a shaper. Refused in the plan: a
 * device that the host does not have, a root with classes, qdiscs or parameters that would be lost (`htb`, `prio`, `mq`), and a
 * kernel that lacks the kind; and, where it is to be kept at boot, a device whose qdisc systemd-networkd sets. A shaper on a device with several queues (`mq`) puts them all behind one lock, and the plan says so.
 *
 * @example
 * tcQdisc(facts.need.defaultInterface).fqCodel({ target: '5ms', interval: '100ms', ecn: true })
 * @see tc(8)
 */
export function tcQdisc(device: string): TcQdiscStart {
  return new TcQdisc(device)
}

export class TcQdisc extends Task implements TcQdiscStart {
  readonly module = 'tcQdisc'
  readonly id: string
  /** What the play says; undefined for the kernel's default qdisc. */
  readonly wished: Wished | undefined
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
    return this.say(fqCodel, parseFqCodel(options))
  }

  fq(options: FqOptions = {}): TcQdisc {
    return this.say(fq, parseFq(options))
  }

  cake(options: CakeOptions = {}): TcQdisc {
    return this.say(cake, parseCake(options))
  }

  tbf(options: TbfOptions): TcQdisc {
    return this.say(tbf, parseTbf(options))
  }

  htb(options: HtbOptions = {}): TcQdisc {
    return this.say(htb, parseHtb(options))
  }

  absent(): TcQdisc {
    return this.with<TcQdisc>({ isAbsent: true, isKeptAtBoot: false })
  }

  /**
   * Whether a unit that is bound to the device sets the qdisc whenever the device appears. Without, there is no such unit.
   * It needs systemd and udev, and is refused in the plan where they do not run. @default true
   */
  atBoot(keep = true): TcQdisc {
    const contrary = keep && !this.wished
    return this.with<TcQdisc>({ isKeptAtBoot: keep }).wrong(
      contrary ? `tcQdisc ${this.id}: no qdisc cannot be kept at boot` : undefined,
    )
  }

  override get unfinished() {
    const says = this.isAbsent || this.wished
    return says ? undefined : `tcQdisc ${this.id} says no qdisc: .fqCodel(), another kind, or .absent()`
  }

  get wishes(): readonly Wish[] {
    const device = this.id
    const { wished } = this
    const text = wished && this.isKeptAtBoot ? unitText(device, wished) : undefined
    const unit = text === undefined ? absentFile : (now: FileState, as: Owner) => file(now, text, as)
    const target = wantedTarget(device)
    return [
      ...(wished ? [look(kernelQdiscs)] : []),
      ...(this.isKeptAtBoot ? [look(udev), look(networkdQdiscs)] : []),
      want(rootQdisc(device), (now) => asWished(device, wished, now), {
        whole: wished ? { kind: wished.discipline.kind, ...wished.wish } : 'absent',
      }),
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
    if (this.isKeptAtBoot && (changes(rootQdisc(device)) || changes(unitFile(device))))
      verdicts.push(...judgeNetworkd(device, now(networkdQdiscs)))
    if (!changes(rootQdisc(device))) return verdicts
    if (facts.user !== 'root') {
      verdicts.push(
        refuse(
          `${facts.user} may not change the qdisc of ${device}.`,
          'Let the play or the task become root: `.become()`.',
        ),
      )
    }
    verdicts.push(...judgeRoot(device, root, this.wished))
    if (this.wished) verdicts.push(...judgeKernel(now(kernelQdiscs), this.wished))
    return verdicts
  }

  private say<V extends Values>(discipline: Discipline<V>, { wish, problems }: Said<Values>): TcQdisc {
    const set = this.with<TcQdisc>({ wished: { discipline: discipline as unknown as Discipline, wish } })
    return problems.reduce((task, problem) => task.wrong(`tcQdisc ${this.id}: ${problem}`), set)
  }
}

interface Owner {
  readonly user: string
  readonly group: string
}

function asWished(device: string, wished: Wished | undefined, now: RootQdisc): RootQdisc {
  if (!wished) return now.type === 'added' ? kernelDefault : now
  if (now.type === 'absent') throw missing(device, now.devices)
  const { discipline, wish } = wished
  const is = valuesOf(now, discipline)
  const options = discipline.complete(wish, is)
  return isDeepStrictEqual(is, options) ? now : { type: 'added', kind: discipline.kind, options, children: 0 }
}

function missing(device: string, devices: readonly string[]): Failure {
  const near = nearest(device, devices)
  const hint = `${near ? `Did you mean ${near}? ` : ''}The host has ${devices.join(', ')}; facts.need.defaultInterface is the one of its default route.`
  return new Failure('E_REFUSED', `This host has no network device ${device}.`, { hint })
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
