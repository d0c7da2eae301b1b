/** Kernel parameters that plays often set: what they take, so that an editor completes and a mistake is told early. */

import { type Bytes, bytes, type Parsed } from '../dsl/units.ts'
import { isProblem } from '../dsl/variable.ts'
import { nearest } from '../errors/suggest.ts'

/** What a key takes. */
interface Kind<V> {
  /** What a fresh Debian 12 has; undefined where that depends on the machine. */
  readonly fresh: string | undefined
  /** Counts bytes, so that a smaller value means less room. */
  readonly isRoom?: boolean
  /** The value as the kernel prints it, tabs as single spaces. */
  readonly parse: (value: V) => Parsed<string>
}

interface Range {
  readonly min?: number
  readonly max?: number
}

type PortRange = number | `${number}-${number}`

/** What most keys can hold: a signed number of 32 bits. */
const largestInt = 2 ** 31 - 1

/** Units, arity and limits are those of the kernel's documentation (`Documentation/admin-guide/sysctl/`) and were tried on Linux 7.2. */
const wellKnown = {
  'fs.aio-max-nr': integer('65536', { max: Number.MAX_SAFE_INTEGER }),
  'fs.file-max': integer(undefined, { max: Number.MAX_SAFE_INTEGER }),
  'fs.inotify.max_queued_events': integer('16384'),
  'fs.inotify.max_user_instances': integer('128'),
  'fs.inotify.max_user_watches': integer(undefined),
  'fs.nr_open': integer('1048576'),
  'kernel.core_pattern': word('core'),
  'kernel.dmesg_restrict': oneOf('1', 0, 1),
  'kernel.kptr_restrict': oneOf('0', 0, 1, 2),
  'kernel.panic': integer('0', { min: -1 }),
  'kernel.panic_on_oops': oneOf('0', 0, 1),
  'kernel.pid_max': integer('4194304', { min: 301, max: 4_194_304 }),
  'kernel.printk': integers<[number, number, number, number]>(4, '4 4 1 7'),
  'kernel.randomize_va_space': oneOf('2', 0, 1, 2),
  'kernel.sem': integers<[number, number, number, number]>(4, '32000 1024000000 500 32000'),
  'kernel.shmall': integer(undefined, { max: Number.MAX_SAFE_INTEGER }),
  'kernel.shmmax': room(undefined, { max: Number.MAX_SAFE_INTEGER }),
  'kernel.sysrq': integer('438', { max: 511 }),
  'kernel.threads-max': integer(undefined),
  'net.core.busy_poll': integer('0'),
  'net.core.busy_read': integer('0'),
  'net.core.default_qdisc': word('pfifo_fast'),
  'net.core.netdev_budget': integer('300'),
  'net.core.netdev_budget_usecs': integer(undefined),
  'net.core.netdev_max_backlog': integer('1000'),
  'net.core.optmem_max': room('20480'),
  'net.core.rmem_default': room('212992', { min: 2304 }),
  'net.core.rmem_max': room('212992', { min: 2304 }),
  'net.core.somaxconn': integer('4096'),
  'net.core.wmem_default': room('212992', { min: 4608 }),
  'net.core.wmem_max': room('212992', { min: 4608 }),
  'net.ipv4.conf.all.accept_redirects': oneOf('1', 0, 1),
  'net.ipv4.conf.all.rp_filter': oneOf('0', 0, 1, 2),
  'net.ipv4.conf.default.rp_filter': oneOf('0', 0, 1, 2),
  'net.ipv4.ip_forward': oneOf('0', 0, 1),
  'net.ipv4.ip_local_port_range': integers<[number, number]>(2, '32768 60999'),
  'net.ipv4.ip_local_reserved_ports': ports(''),
  'net.ipv4.ip_nonlocal_bind': oneOf('0', 0, 1),
  'net.ipv4.ip_unprivileged_port_start': integer('1024', { max: 65_535 }),
  'net.ipv4.tcp_congestion_control': word('cubic'),
  'net.ipv4.tcp_fastopen': integer('1'),
  'net.ipv4.tcp_fin_timeout': integer('60'),
  'net.ipv4.tcp_keepalive_intvl': integer('75'),
  'net.ipv4.tcp_keepalive_probes': integer('9'),
  'net.ipv4.tcp_keepalive_time': integer('7200'),
  'net.ipv4.tcp_max_syn_backlog': integer(undefined),
  'net.ipv4.tcp_max_tw_buckets': integer(undefined),
  /** Pages. */
  'net.ipv4.tcp_mem': integers<[number, number, number]>(3, undefined, Number.MAX_SAFE_INTEGER),
  'net.ipv4.tcp_mtu_probing': oneOf('0', 0, 1, 2),
  'net.ipv4.tcp_notsent_lowat': room('4294967295', { max: 2 ** 32 - 1 }),
  'net.ipv4.tcp_rmem': rooms<[Bytes, Bytes, Bytes]>(3, undefined),
  'net.ipv4.tcp_slow_start_after_idle': oneOf('1', 0, 1),
  'net.ipv4.tcp_syncookies': oneOf('1', 0, 1, 2),
  'net.ipv4.tcp_tw_reuse': oneOf('2', 0, 1, 2),
  'net.ipv4.tcp_wmem': rooms<[Bytes, Bytes, Bytes]>(3, undefined),
  /** Pages. */
  'net.ipv4.udp_mem': integers<[number, number, number]>(3, '8670 11562 17340', Number.MAX_SAFE_INTEGER),
  'net.ipv4.udp_rmem_min': room('4096'),
  'net.ipv4.udp_wmem_min': room('4096'),
  'net.ipv6.conf.all.disable_ipv6': oneOf('0', 0, 1),
  'net.ipv6.conf.all.forwarding': oneOf('0', 0, 1),
  'net.ipv6.conf.default.disable_ipv6': oneOf('0', 0, 1),
  'vm.dirty_background_bytes': room('0', { max: Number.MAX_SAFE_INTEGER }),
  'vm.dirty_background_ratio': integer('10', { max: 100 }),
  'vm.dirty_bytes': room('0', { max: Number.MAX_SAFE_INTEGER }),
  'vm.dirty_ratio': integer('20', { max: 100 }),
  'vm.max_map_count': integer(undefined),
  /** KiB. */
  'vm.min_free_kbytes': integer(undefined),
  'vm.nr_hugepages': integer('0', { max: Number.MAX_SAFE_INTEGER }),
  'vm.overcommit_memory': oneOf('0', 0, 1, 2),
  'vm.overcommit_ratio': integer('50'),
  'vm.swappiness': integer('60', { max: 200 }),
  'vm.vfs_cache_pressure': integer('100'),
} as const

type WellKnown = typeof wellKnown

/** A kernel parameter, with dots; well-known ones are completed. A dot in an interface name is a slash: `net.ipv4.conf.eth0/100.rp_filter`. */
export type SysctlKey = keyof WellKnown | (string & {})

/** What a key takes: by its kind where it is well known; else a number, a text, or a list of them. */
export type SysctlValue<K extends SysctlKey> = K extends keyof WellKnown
  ? Parameters<WellKnown[K]['parse']>[0]
  : number | string | readonly (number | string)[]

/** What kind a key is of; undefined for keys that are not well known. */
export function kindOf(key: string): Kind<unknown> | undefined {
  return Object.hasOwn(wellKnown, key) ? (wellKnown[key as keyof WellKnown] as Kind<unknown>) : undefined
}

/** The value of a key as the kernel prints it. */
export function parseValue(key: string, value: unknown): Parsed<string> {
  const kind = kindOf(key)
  if (kind) return kind.parse(value)
  const parsed = anything.parse(value)
  if (!isProblem(parsed)) return parsed
  // What a well-known key would take, one that is nearly called so was probably meant to take.
  const meant = nearest(key, Object.keys(wellKnown))
  const fits = meant !== undefined && !isProblem(kindOf(meant)!.parse(value))
  return fits ? { problem: `did you mean ${meant}? ${parsed.problem}` } : parsed
}

/** Runs of blanks as one space: the kernel separates by tabs. */
export function oneSpaced(text: string): string {
  return text.trim().split(/\s+/).join(' ')
}

const anything: Kind<unknown> = {
  fresh: undefined,
  parse(value) {
    if (Array.isArray(value)) return every(value, anything.parse)
    if (typeof value === 'number')
      return integer(undefined, { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }).parse(value)
    return typeof value === 'string'
      ? parseText(value)
      : { problem: `${JSON.stringify(value)} is neither a number nor a text` }
  },
}

function integer(fresh: string | undefined, { min = 0, max = largestInt }: Range = {}): Kind<number> {
  return {
    fresh,
    parse: (value) =>
      Number.isSafeInteger(value) && value >= min && value <= max
        ? String(value)
        : { problem: `${JSON.stringify(value)} is not a whole number from ${min} to ${max}` },
  }
}

function room(fresh: string | undefined, range: Range = {}): Kind<Bytes> {
  return {
    fresh,
    isRoom: true,
    parse(value) {
      const count = bytes(value)
      return isProblem(count) ? count : integer(undefined, range).parse(count)
    },
  }
}

function oneOf<const N extends number>(fresh: string, ...numbers: readonly N[]): Kind<N> {
  return {
    fresh,
    parse: (value) =>
      numbers.includes(value)
        ? String(value)
        : { problem: `${JSON.stringify(value)} is none of ${numbers.join(', ')}` },
  }
}

function integers<T extends readonly number[]>(
  count: T['length'],
  fresh: string | undefined,
  max = largestInt,
): Kind<Readonly<T>> {
  return { fresh, parse: (values) => counted(values, count, integer(undefined, { max }).parse) }
}

function rooms<T extends readonly Bytes[]>(count: T['length'], fresh: string | undefined): Kind<Readonly<T>> {
  return { fresh, parse: (values) => counted(values, count, room(undefined).parse) }
}

function word(fresh: string): Kind<string> {
  return {
    fresh,
    parse: (value) =>
      typeof value === 'string' ? parseText(value) : { problem: `${JSON.stringify(value)} is no text` },
  }
}

/** The kernel prints ports sorted and joined: `8080,9000-9002,8081` as `8080-8081,9000-9002`. */
function ports(fresh: string): Kind<string | readonly PortRange[]> {
  return {
    fresh,
    parse(value) {
      const words = (typeof value === 'string' ? value.split(',') : [value].flat().map(String))
        .map((w) => w.trim())
        .filter(Boolean)
      const taken = new Set<number>()
      for (const range of words) {
        const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? []
        const [from, to] = [Number(first), Number(last)]
        if (!(from <= to && to <= 65_535))
          return { problem: `${JSON.stringify(range)} is neither a port nor a range such as 9000-9002` }
        for (let port = from; port <= to; port++) taken.add(port)
      }
      const starts = [...taken].filter((port) => !taken.has(port - 1)).sort((a, b) => a - b)
      const ends = [...taken].filter((port) => !taken.has(port + 1)).sort((a, b) => a - b)
      return starts.map((start, i) => (start === ends[i] ? `${start}` : `${start}-${ends[i]}`)).join(',')
    },
  }
}

function counted<V>(values: readonly V[], count: number, parse: (value: V) => Parsed<string>): Parsed<string> {
  // With fewer values the kernel keeps the others, more it cuts off, and it says nothing.
  if (!Array.isArray(values) || values.length !== count)
    return { problem: `${JSON.stringify(values)} is not a list of ${count} values` }
  return every(values, parse)
}

function every<V>(values: readonly V[], parse: (value: V) => Parsed<string>): Parsed<string> {
  const words: string[] = []
  for (const value of values) {
    const parsed = parse(value)
    if (isProblem(parsed)) return parsed
    words.push(parsed)
  }
  return words.join(' ')
}

function parseText(text: string): Parsed<string> {
  const shown = JSON.stringify(text)
  if (text.trim() === '') return { problem: `${shown} is empty` }
  if (/[\n\r\0]/.test(text)) return { problem: `${shown} is more than one line` }
  // Of `3000 # x` the kernel takes 3000, or all of it, by the key.
  if (/\s[#;]/.test(text)) return { problem: `${shown} holds a comment; give the reason as the third argument` }
  // The kernel reads these as numbers of another base and prints them in decimal.
  if (/^0x[\da-f]+$/i.test(text) || /^0[0-7]*[1-7][0-7]*$/.test(text)) {
    const number = text.startsWith('0x') || text.startsWith('0X') ? Number(text) : Number.parseInt(text, 8)
    return { problem: `${shown} is read by the kernel as ${number}; write it so` }
  }
  if (/^\d+(\.\d+)?\s?([kmgt]i?b?|b)$/i.test(text)) {
    return { problem: `${shown} has a unit, which the kernel does not take; give the number itself` }
  }
  return oneSpaced(text)
}
