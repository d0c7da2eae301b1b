/** Datagrams that a host dropped for want of room, by the kernel's counters and by socket. */

import { type Finding, Observation, type Observed, type Unexpected } from '../dsl/observation.ts'
import type { Resource } from '../dsl/resource.ts'
import { type Duration, seconds } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

/** Counters of IPv4 and IPv6 together, since the host was started. */
export interface UdpCounters {
  /** Datagrams that programs have read. */
  readonly inDatagrams: number
  /** Dropped because the buffer of their socket was full. */
  readonly rcvbufErrors: number
  /** Dropped because all UDP sockets together had what `net.ipv4.udp_mem` lets them have. */
  readonly memErrors: number
  /** Sockets that have dropped something. */
  readonly sockets: readonly UdpSocket[]
}

export interface UdpSocket {
  /** `127.0.0.53:53`, `[::]:5353`. */
  readonly address: string
  readonly inode: number
  /** The unit whose socket it is; null where that is not known. */
  readonly unit: string | null
  readonly drops: number
}

/**
 * How many datagrams the host drops while a span passes, after the play has reacted: those that found the buffer of their socket
 * full (`RcvbufErrors`) and those that found the memory of all UDP sockets used up (`MemErrors`), of IPv4 and IPv6 together. The
 * sockets that dropped most are named. It changes nothing, and it sends nothing: it sees the traffic that there is.
 *
 * The cure, in this order: stop who sends so much (`wpCron()` is one), have answers kept (`resolved()`), then give sockets more room
 * (`sysctl()`), which helps against a burst and not against a daemon that is too slow.
 *
 * Without `.expect()` it only tells. A span that is none is told before any connection.
 *
 * @example
 * udpDrops({ during: '30s' }).expect(0)
 * @see proc_net(5), udp(7)
 */
export function udpDrops(options: { readonly during: Duration }): UdpDrops {
  return new UdpDrops(options.during)
}

/** Rows of the table, of those sockets that dropped most. */
const rows = 10

export class UdpDrops extends Observation<UdpCounters> {
  readonly module = 'udpDrops'
  readonly id: string
  readonly most: number | undefined

  /** @internal Made by `udpDrops()`. */
  constructor(during: Duration) {
    super()
    this.id = during
    const span = seconds(during)
    if (isProblem(span)) return this.wrong(`udpDrops: ${span.problem}`)
    if (span <= 0) return this.wrong(`udpDrops: ${during} is no span to wait`)
  }

  /** How many may be dropped. */
  expect(most: number): UdpDrops {
    const isCount = Number.isSafeInteger(most) && most >= 0
    return this.with<UdpDrops>({ most }).wrong(
      isCount ? undefined : `udpDrops: expect takes a number of datagrams, not ${JSON.stringify(most)}`,
    )
  }

  get view(): Resource<UdpCounters> {
    return udpCounters
  }

  override get window(): number {
    const span = seconds(this.id as Duration)
    return isProblem(span) ? 0 : span
  }

  find({ before, now }: Observed<UdpCounters>): Finding {
    const read = now.inDatagrams - before.inDatagrams
    const full = now.rcvbufErrors - before.rcvbufErrors
    const memory = now.memErrors - before.memErrors
    if (Math.min(read, full, memory) < 0) {
      throw new Failure('E_UNEXPECTED', 'The counters went back while they were watched: the host was started again.')
    }
    const dropped = full + memory
    const causes = dropped === 0 ? '' : ` (RcvbufErrors ${full}, MemErrors ${memory})`
    const says = `${dropped} ${dropped === 1 ? 'datagram was' : 'datagrams were'} dropped in ${this.window} s${causes}, ${read} were read`
    const table = dropped === 0 ? [] : tableOf(socketsThatDropped(before, now))
    if (this.most === undefined || dropped <= this.most) return { says, table }
    return { says, table, unexpected: this.tooMany(full, memory) }
  }

  private tooMany(full: number, memory: number): Unexpected {
    const message = `${full + memory} datagrams were dropped in ${this.window} s (RcvbufErrors ${full}, MemErrors ${memory}); expected were ${this.most === 0 ? 'none' : `at most ${this.most}`}.`
    const hint =
      memory > full
        ? 'The memory of all UDP sockets is used up: raise net.ipv4.udp_mem by sysctl(), or find who does not read.'
        : 'Buffers are full: raise net.core.rmem_default by sysctl(), and restart the daemon whose sockets drop.'
    return { message, hint }
  }
}

/** What the kernel counts of UDP. It can only be looked at. */
export const udpCounters: Resource<UdpCounters> = {
  key: 'udp:counters',
  label: 'UDP counters',
  read: Probe.script(
    sh`cat /proc/net/snmp || exit
echo '# snmp6'
cat /proc/net/snmp6 2>/dev/null
echo '# sockets'
cat /proc/net/udp /proc/net/udp6 2>/dev/null
echo '# units'
PATH=$PATH:/usr/sbin:/sbin
ss -Haune --cgroup 2>/dev/null
exit 0`,
    (output) => {
      const [snmp = '', snmp6 = '', sockets = '', units = ''] = output.stdout.toString().split(/^# \w+\n/m)
      const four = pairs(snmp)
      if (output.status !== 0 || !four.has('InDatagrams')) throw unparsable('/proc/net/snmp', output)
      const six = new Map(snmp6.split('\n').map((line) => line.split(/\s+/) as [string, string]))
      const sum = (name: string) => Number(four.get(name) ?? 0) + Number(six.get(`Udp6${name}`) ?? 0)
      return {
        inDatagrams: sum('InDatagrams'),
        rcvbufErrors: sum('RcvbufErrors'),
        memErrors: sum('MemErrors'),
        sockets: socketsOf(sockets, unitsByInode(units)),
      }
    },
  ),
}

/** Two lines beginning with `Udp:`, of which the first has the names: newer kernels have more of them. */
function pairs(snmp: string): ReadonlyMap<string, string> {
  const [names = [], values = []] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Udp: '))
    .map((line) => line.split(' ').slice(1))
  return new Map(names.map((name, i) => [name, values[i] ?? '0']))
}

function socketsOf(text: string, units: ReadonlyMap<number, string>): readonly UdpSocket[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const [, local = ''] = fields
    const [inode, drops] = [Number(fields[9]), Number(fields.at(-1))]
    // The heading has no number there.
    if (!(drops > 0) || !Number.isInteger(inode)) return []
    return [{ address: addressOf(local), inode, unit: units.get(inode) ?? null, drops }]
  })
}

/** `3500007F:0035`: words of 32 bits, each with its bytes turned round, and the port. */
function addressOf(local: string): string {
  const [words = '', port = ''] = local.split(':')
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed())
  const number = Number.parseInt(port, 16)
  if (bytes.length === 4) return `${bytes.map((byte) => Number.parseInt(byte, 16)).join('.')}:${number}`
  const groups = (bytes.join('').match(/.{4}/g) ?? []).join(':')
  return `${new URL(`http://[${groups}]`).hostname}:${number}`
}

/** `… ino:749 sk:3 cgroup:/system.slice/systemd-resolved.service <->` */
function unitsByInode(text: string): ReadonlyMap<number, string> {
  return new Map(
    text.split('\n').flatMap((line): [number, string][] => {
      const inode = /\bino:(\d+)/.exec(line)?.[1]
      const unit = /\bcgroup:\S*?\/([^/\s]+\.(?:service|socket|scope))(?:[/\s]|$)/.exec(line)?.[1]
      return inode && unit ? [[Number(inode), unit]] : []
    }),
  )
}

/** Sockets that are closed by now are told no more: what they dropped is in the counters only. */
function socketsThatDropped(before: UdpCounters, now: UdpCounters): readonly UdpSocket[] {
  const was = new Map(before.sockets.map(({ inode, drops }) => [inode, drops]))
  return now.sockets
    .map((socket) => ({ ...socket, drops: socket.drops - (was.get(socket.inode) ?? 0) }))
    .filter(({ drops }) => drops > 0)
    .toSorted((a, b) => b.drops - a.drops)
}

function tableOf(sockets: readonly UdpSocket[]): readonly string[] {
  const shown = sockets.slice(0, rows)
  const columns = Math.max(0, ...shown.map(({ address }) => address.length))
  const digits = Math.max(0, ...shown.map(({ drops }) => String(drops).length))
  const lines = shown.map(({ address, unit, drops }) =>
    `${String(drops).padStart(digits)}  ${address.padEnd(columns)}  ${unit ?? ''}`.trimEnd(),
  )
  return sockets.length > rows ? [...lines, `… and ${sockets.length - rows} more`] : lines
}
