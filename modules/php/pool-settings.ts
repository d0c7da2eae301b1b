/** What php-fpm knows of pools. */

import { nearest } from '../../errors/suggest.ts'
import { holdsSecret } from '../../shell/secret-text.ts'
import { amountProblem, iniText, type IniValue } from './ini-value.ts'

/**
 * Settings of a pool by name, as php-fpm has them: `{ pm: 'dynamic', 'pm.max_children': 20 }`. Environment and settings of PHP
 * have their name in brackets: `env[TMP]`, `php_admin_value[memory_limit]`.
 */
export type PoolSettings = {
  readonly pm?: 'static' | 'dynamic' | 'ondemand'
} & {
  readonly [name in PoolSetting | BracketedSetting]?: IniValue
}

export type PoolSetting = (typeof known)[number]

export type BracketedSetting = `${(typeof bracketed)[number]}[${string}]`

const known = [
  'access.format',
  'access.log',
  'apparmor_hat',
  'catch_workers_output',
  'chdir',
  'chroot',
  'clear_env',
  'decorate_workers_output',
  'group',
  'listen',
  'listen.acl_groups',
  'listen.acl_users',
  'listen.allowed_clients',
  'listen.backlog',
  'listen.group',
  'listen.mode',
  'listen.owner',
  'ping.path',
  'ping.response',
  'pm',
  'pm.max_children',
  'pm.max_requests',
  'pm.max_spare_servers',
  'pm.max_spawn_rate',
  'pm.min_spare_servers',
  'pm.process_idle_timeout',
  'pm.start_servers',
  'pm.status_listen',
  'pm.status_path',
  'prefix',
  'process.dumpable',
  'process.priority',
  'request_slowlog_timeout',
  'request_slowlog_trace_depth',
  'request_terminate_timeout',
  'request_terminate_timeout_track_finished',
  'rlimit_core',
  'rlimit_files',
  'security.limit_extensions',
  'slowlog',
  'user',
] as const

const bracketed = ['env', 'php_value', 'php_flag', 'php_admin_value', 'php_admin_flag'] as const

/** What is wrong with the name of a setting, and which was meant. php-fpm refuses one that it does not know. */
export function settingNameProblem(name: string): readonly [problem: string, hint?: string] | undefined {
  const [, outer, inner] = /^([a-z_]+)\[([^\]]*)\]$/.exec(name) ?? []
  if (outer !== undefined) {
    if (!(bracketed as readonly string[]).includes(outer)) return [`php-fpm knows no setting ${outer}[…] of a pool`]
    return /^[A-Za-z_][\w.-]*$/.test(inner!) ? undefined : [`${JSON.stringify(name)} has no name in its brackets`]
  }
  if ((known as readonly string[]).includes(name)) return undefined
  const near = nearest(name, known)
  const problem = `php-fpm knows no setting ${JSON.stringify(name)} of a pool`
  return near === undefined ? [problem] : [problem, `Did you mean ${near}?`]
}

/** What is wrong with a value. */
export function settingValueProblem(
  name: string,
  value: IniValue,
): readonly [problem: string, hint?: string] | undefined {
  const text = iniText(value)
  if (typeof text !== 'string') return [`${name}: ${text.problem}`]
  if (value === '') return [`${name} is empty`, `Take it out of the pool: without('${name}')`]
  if (
    /^env\[.*(?:PASS|SECRET|TOKEN|CREDENTIAL)/i.test(name) ||
    /^php_.*(?:_pw|passw(?:or)?d)\]$/i.test(name) ||
    holdsSecret(`${name} = ${value}`)
  )
    return [
      `${name} holds a password`,
      'Anybody on the host may read the file. Have the program read it from a file of its own.',
    ]
  if (/^php_(?:admin_)?flag\[/.test(name) && !/^(?:true|false|on|off|yes|no|0|1)$/i.test(String(value)))
    return [`${name} takes true or false`]
  const [, inner] = /^php_(?:admin_)?value\[(.+)\]$/.exec(name) ?? []
  const amount = inner === undefined ? undefined : amountProblem(inner, value)
  return amount === undefined ? undefined : [amount]
}
