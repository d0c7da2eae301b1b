/** Settings of systemd-resolved: what they take, since the daemon only logs what it does not, and starts without it. */

import { isIPv4, isIPv6 } from 'node:net'
import { type Duration, type Parsed, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import { nearest } from '../../errors/suggest.ts'
import type { OwnAddress } from '../socket-test.ts'

type YesNo = 'yes' | 'no'

/** By the names of resolved.conf(5). A list is the whole list: it takes the place of what earlier files say. */
export interface ResolvedSettings {
  /** Whether answers are kept; `no-negative` keeps no answer that says there is nothing. */
  readonly Cache?: YesNo | 'no-negative'
  /** Whether answers of a server on this host are kept. */
  readonly CacheFromLocalhost?: YesNo
  /** Servers to ask: `ADDRESS[:PORT][%INTERFACE][#SERVER-NAME]`, an IPv6 address with a port in brackets. */
  readonly DNS?: readonly string[]
  /** Servers to ask where there are no others; an empty list takes away those that systemd was built with. */
  readonly FallbackDNS?: readonly string[]
  /** Domains to search, and with `~` in front domains whose names go to these servers: `~.` for all names. */
  readonly Domains?: readonly string[]
  readonly DNSSEC?: YesNo | 'allow-downgrade'
  readonly DNSOverTLS?: YesNo | 'opportunistic'
  /** Whether 127.0.0.53 and 127.0.0.54 are listened on, and by which protocol. */
  readonly DNSStubListener?: YesNo | 'udp' | 'tcp'
  /** More addresses to listen on: `[udp:|tcp:]ADDRESS[:PORT]`. */
  readonly DNSStubListenerExtra?: readonly string[]
  readonly LLMNR?: YesNo | 'resolve'
  readonly MulticastDNS?: YesNo | 'resolve'
  /** Whether names of /etc/hosts are answered. */
  readonly ReadEtcHosts?: YesNo
  /** Whether single words are asked of the servers. */
  readonly ResolveUnicastSingleLabel?: YesNo
  /** For how long an old answer serves where no server answers. systemd 254 and later have it. */
  readonly StaleRetentionSec?: Duration
}

export type SettingName = keyof ResolvedSettings

/** What a setting is. */
interface Kind {
  /** Its values as they are written, one a line; the first line of a list is empty, which forgets what was said before. */
  readonly parse: (value: unknown) => Parsed<readonly string[]>
  /** The version of systemd that brought it, where Debian 12 has an older one. */
  readonly since?: number
}

const kinds: Readonly<Record<SettingName, Kind>> = {
  Cache: oneOf('yes', 'no', 'no-negative'),
  CacheFromLocalhost: oneOf('yes', 'no'),
  DNS: list(server, (all) => [all.join(' ')]),
  FallbackDNS: list(server, (all) => [all.join(' ')]),
  Domains: list(domain, (all) => [all.join(' ')]),
  DNSSEC: oneOf('yes', 'no', 'allow-downgrade'),
  DNSOverTLS: oneOf('yes', 'no', 'opportunistic'),
  DNSStubListener: oneOf('yes', 'no', 'udp', 'tcp'),
  DNSStubListenerExtra: list(listener, (all) => all),
  LLMNR: oneOf('yes', 'no', 'resolve'),
  MulticastDNS: oneOf('yes', 'no', 'resolve'),
  ReadEtcHosts: oneOf('yes', 'no'),
  ResolveUnicastSingleLabel: oneOf('yes', 'no'),
  StaleRetentionSec: { since: 254, parse: (value) => span(value) },
}

/** The values of a setting as its lines have them. */
export function settingLines(name: string, value: unknown): Parsed<readonly string[]> {
  if (Object.hasOwn(kinds, name)) {
    const parsed = kinds[name as SettingName].parse(value)
    return isProblem(parsed) ? { problem: `${name}: ${parsed.problem}` } : parsed
  }
  const close = nearest(name, Object.keys(kinds))
  return { problem: `${name} is no setting that is known here${close ? `; did you mean ${close}?` : ''}` }
}

/** The version of systemd that a setting needs. */
export function since(name: SettingName): number {
  return kinds[name].since ?? 0
}

/** Addresses on port 53 that the daemon listens on by itself; one that is asked for again is only logged as taken. */
export function stubAddress(extra: string): string | undefined {
  return /^(?:udp:|tcp:)?(127\.0\.0\.5[34])(?::53)?$/.exec(extra)?.[1]
}

/** `udp:127.0.0.2`, `[::1]:5353`: where the daemon would listen, with the port. */
export function listenerAddress(extra: string): OwnAddress {
  const [, by, where = ''] = /^(?:(udp|tcp):)?(.*)$/.exec(extra) ?? []
  const address = isIPv4(where) ? `${where}:53` : isIPv6(where) ? `[${where}]:53` : where
  return { address, by: by as OwnAddress['by'] }
}

/** The interfaces that servers are asked on, of a line that names servers. */
export function interfacesIn(line: string): readonly string[] {
  return line.split(' ').flatMap((word) => /%([^#]+)/.exec(word)?.[1] ?? [])
}

function oneOf(...words: readonly string[]): Kind {
  return {
    parse: (value) =>
      words.includes(value as string)
        ? [value as string]
        : { problem: `${JSON.stringify(value)} is none of ${words.join(', ')}` },
  }
}

function list(
  problem: (one: string) => string | undefined,
  written: (all: readonly string[]) => readonly string[],
): Kind {
  return {
    parse(value) {
      if (!Array.isArray(value)) return { problem: `${JSON.stringify(value)} is not a list` }
      for (const one of value as unknown[]) {
        if (typeof one !== 'string') return { problem: `${JSON.stringify(one)} is no text` }
        const wrong = problem(one)
        if (wrong !== undefined) return { problem: `${JSON.stringify(one)} ${wrong}` }
      }
      return value.length === 0 ? [''] : ['', ...written(value as readonly string[])]
    },
  }
}

function span(value: unknown): Parsed<readonly string[]> {
  const parsed =
    typeof value === 'string' ? seconds(value as Duration) : { problem: `${JSON.stringify(value)} is no text` }
  if (isProblem(parsed)) return parsed
  return Number.isInteger(parsed)
    ? [`${parsed}`]
    : { problem: `${JSON.stringify(value)} is not a number of whole seconds` }
}

/** `1.1.1.1`, `[2606:4700::1111]:853%eth0#one.example`. The daemon takes any text behind `#`, and then trusts no server. */
function server(text: string): string | undefined {
  const [, address = '', , name] = /^([^#]*)(#(.*))?$/.exec(text) ?? []
  const [, where = '', , device] = /^([^%]*)(%(.*))?$/.exec(address) ?? []
  if (device !== undefined && !/^[^\s/%#:]{1,15}$/.test(device)) return 'names no interface behind its %'
  if (name !== undefined && !isDomain(name)) return 'has no name of a server behind its #'
  return endpoint(where)
}

function listener(text: string): string | undefined {
  return endpoint(text.replace(/^(udp|tcp):/, ''))
}

function endpoint(text: string): string | undefined {
  // Node takes a zone behind an IPv6 address for a part of it; the daemon does not, for an address to listen on.
  if (!text.includes('%') && (isIPv4(text) || isIPv6(text))) return undefined
  const [, inner, plain, digits] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d+))?$/.exec(text) ?? []
  if (!(inner !== undefined ? isIPv6(inner) : isIPv4(plain ?? '')))
    return 'has no IP address; the daemon takes no names, and IPv6 with a port in brackets'
  const port = Number(digits ?? 53)
  return port >= 1 && port <= 65_535 ? undefined : 'has no port from 1 to 65535'
}

function domain(text: string): string | undefined {
  const name = text.replace(/^~/, '')
  if (name === '.' && text.startsWith('~')) return undefined
  return isDomain(name) ? undefined : 'is not the name of a domain'
}

function isDomain(name: string): boolean {
  const labels = name.replace(/\.$/, '').split('.')
  return name.length <= 253 && labels.every((label) => /^[a-z\d_]([a-z\d_-]{0,61}[a-z\d])?$/i.test(label))
}
