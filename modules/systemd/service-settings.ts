/** What a service may take and do, in the settings of systemd.service(5), systemd.exec(5) and systemd.resource-control(5). */

import { pathProblem } from '../../dsl/host-path.ts'
import { type Bytes, bytes, type Duration, type Parsed } from '../../dsl/units.ts'
import { holdsSecret, namesSecret } from '../../shell/secret-text.ts'
import { environmentValue } from './command-line.ts'
import { memory, timeSpan } from './quantity.ts'
import { literal, type SettingValue, type Settings } from './unit-file.ts'

/** When systemd starts it again after it has ended; `no` is what holds where nothing is said. */
export type RestartPolicy = 'no' | 'on-failure' | 'always' | 'on-success' | 'on-abnormal' | 'on-abort' | 'on-watchdog'

export interface ServiceLimits {
  /** The memory of all its processes together, from 1 MiB; where they need more, the kernel ends them. */
  readonly memoryMax?: Bytes
  /** Processes and threads together. */
  readonly tasksMax?: number
  /** Share of one processor's time: `50%`; `200%` are two processors. */
  readonly cpuQuota?: `${number}%`
  /** How long a start may take; for a oneshot, all of its work. */
  readonly timeoutStart?: Duration
  /** How long it may take to end when it is asked to, before it is killed. */
  readonly timeoutStop?: Duration
  /** How long it may run before it is ended; not for a oneshot, whose limit is `timeoutStart`. */
  readonly runtimeMax?: Duration
}

/** Settings, and what is wrong with those that cannot be. */
export type Said = Readonly<Record<string, Parsed<SettingValue>>>

export function restartSettings(policy: RestartPolicy, after: Duration | undefined): Said {
  const known: readonly string[] = restartPolicies
  const Restart = known.includes(policy)
    ? policy
    : { problem: `${JSON.stringify(policy)} is none of ${restartPolicies.join(' ')}` }
  return after === undefined ? { Restart } : { Restart, RestartSec: timeSpan(after) }
}

export function limitSettings(limits: ServiceLimits): Said {
  const { memoryMax, tasksMax, cpuQuota, timeoutStart, timeoutStop, runtimeMax } = limits
  return {
    ...(memoryMax === undefined ? {} : { MemoryMax: memoryLimit(memoryMax) }),
    ...(tasksMax === undefined ? {} : { TasksMax: tasks(tasksMax) }),
    ...(cpuQuota === undefined ? {} : { CPUQuota: share(cpuQuota) }),
    ...(timeoutStart === undefined ? {} : { TimeoutStartSec: timeSpan(timeoutStart) }),
    ...(timeoutStop === undefined ? {} : { TimeoutStopSec: timeSpan(timeoutStop) }),
    ...(runtimeMax === undefined ? {} : { RuntimeMaxSec: timeSpan(runtimeMax) }),
  }
}

export function environmentSettings(variables: Readonly<Record<string, string>>): Said {
  const values: string[] = []
  for (const [name, value] of Object.entries(variables)) {
    const written = environmentValue(name, value)
    if (typeof written !== 'string') return { Environment: written }
    values.push(written)
  }
  return { Environment: values }
}

/** A variable that must not be read by everybody: by its name, or by a value such as `redis://:PASSWORD@cache1`. */
export function secretName(variables: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(variables).find(([name, value]) => namesSecret(name) || holdsSecret(`${name}=${value}`))?.[0]
}

/** The sandbox, in which only these paths can be written. */
export function sandboxSettings(writes: readonly string[]): Said {
  const problem = writes.map(pathProblem).find(Boolean)
  if (problem) return { ReadWritePaths: { problem } }
  return writes.length > 0 ? { ...sandbox, ReadWritePaths: writes.map(listedPath) } : sandbox
}

const restartPolicies: readonly RestartPolicy[] = [
  'no',
  'on-failure',
  'always',
  'on-success',
  'on-abnormal',
  'on-abort',
  'on-watchdog',
]

/** PHP's JIT and PCRE's write code to memory that they run, so that is left to them. */
const sandbox: Settings = {
  NoNewPrivileges: true,
  CapabilityBoundingSet: '',
  PrivateTmp: true,
  PrivateDevices: true,
  ProtectSystem: 'strict',
  ProtectHome: true,
  ProtectClock: true,
  ProtectHostname: true,
  ProtectControlGroups: true,
  ProtectKernelLogs: true,
  ProtectKernelModules: true,
  ProtectKernelTunables: true,
  RestrictAddressFamilies: 'AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  RestrictNamespaces: true,
  RestrictRealtime: true,
  RestrictSUIDSGID: true,
  LockPersonality: true,
  SystemCallArchitectures: 'native',
}

/** systemd takes any: below this no program gets as far as its first line, and what starts it may wait for ever. */
const leastMemory = 1024 ** 2

function memoryLimit(amount: Bytes): Parsed<string> {
  const size = bytes(amount)
  return typeof size === 'number' && size > 0 && size < leastMemory
    ? { problem: `memoryMax: nothing runs in ${JSON.stringify(amount)}: it takes 1 MiB and more, such as 64MiB` }
    : memory(amount)
}

function tasks(count: number): Parsed<number> {
  return Number.isInteger(count) && count > 0
    ? count
    : { problem: `tasksMax takes a whole number from 1, not ${count}` }
}

function share(quota: string): Parsed<string> {
  const isShare = /^\d+(\.\d{1,2})?%$/.test(quota) && Number.parseFloat(quota) > 0
  return isShare
    ? quota
    : { problem: `cpuQuota takes a share of a processor such as 50%, not ${JSON.stringify(quota)}` }
}

/** A path that is a whole value. systemd takes the blanks at its end away. */
export function pathValue(path: string): Parsed<string> {
  const problem =
    pathProblem(path) ?? (/\s$/.test(path) ? `the path ${JSON.stringify(path)} ends in a blank` : undefined)
  return problem === undefined ? literal(path) : { problem }
}

/** A path of a list: blanks would part it. */
function listedPath(path: string): string {
  const text = literal(path)
  return /[\s"'\\]/.test(text) ? `"${text.replace(/[\\"]/g, '\\$&')}"` : text
}
