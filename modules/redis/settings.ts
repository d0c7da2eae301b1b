/** What a running Redis server is set to, and what server it is. */

import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import type { Probe } from '../../probe/probe.ts'
import { type Answer, notRunning, redisAnswer, redisCommands, refusedBy } from './client.ts'
import { canonical, type DirectiveName, freshValue, limitsIn, type Setting } from './directives.ts'
import { type Endpoint, endpointName } from './endpoint.ts'
import { isError, type Reply, textOf } from './resp.ts'

/** Settings by their names, as the server tells them; `null` is one that the server does not know. */
export type LiveSettings =
  | { readonly [id: string]: string | null }
  /** Nobody listens there. */
  | { readonly type: 'stopped' }

export type RedisServer =
  | {
      readonly version: string
      /** The file that it was started with; empty where with none. */
      readonly configFile: string
    }
  | { readonly type: 'stopped' }

/**
 * Some directives of a running server. `client-output-buffer-limit` is named with a class: `client-output-buffer-limit replica`.
 *
 * @example
 * mockHost('cache1').has(redisSettings(['maxmemory']), { maxmemory: '268435456' })
 */
export function redisSettings(
  ids: readonly string[],
  endpoint: Endpoint,
  options: { readonly evenStopped?: boolean } = {},
): Resource<LiveSettings> {
  const names = [...new Set(ids.map((id) => id.split(' ')[0]!))]
  return {
    key: `redis:config/${endpointName(endpoint)}/${ids.join('+')}`,
    label: `redis ${endpointName(endpoint)}`,
    read: answered(
      endpoint,
      names.map((name) => ['CONFIG', 'GET', name]),
      options,
    ).map((replies) => {
      if (!replies) return { type: 'stopped' }
      const told = new Map(names.map((name, i) => [name, tellOf(endpoint, name, replies[i]!)]))
      return Object.fromEntries(ids.map((id) => [id, valueOf(id, told.get(id.split(' ')[0]!)!)]))
    }),
    write: (to, from) => {
      const changed = isStopped(to) || isStopped(from) ? [] : ids.filter((id) => to[id] !== from[id])
      if (isStopped(to) || changed.length === 0)
        throw new Failure('E_REFUSED', 'A server is not stopped by its settings.')
      const words = argumentsOf(changed, to)
      return redisCommands(endpoint, [['CONFIG', 'SET', ...words]])
        .called(`CONFIG SET ${words.join(' ')}`)
        .touches()
    },
    show: (value) => (isStopped(value) ? 'stopped' : tell(value).join(', ')),
    text: (value) => (isStopped(value) ? undefined : `${tell(value).join('\n')}\n`),
    fresh: Object.fromEntries(ids.map((id) => [id, freshValue(id)])),
  }
}

/** Which server answers. It can only be looked at. */
export function redisServer(
  endpoint: Endpoint,
  options: { readonly evenStopped?: boolean } = {},
): Resource<RedisServer> {
  return {
    key: `redis:server/${endpointName(endpoint)}`,
    label: `redis ${endpointName(endpoint)}`,
    read: answered(endpoint, [['INFO', 'server']], options).map((replies) => {
      if (!replies) return { type: 'stopped' }
      const [reply] = replies
      if (isError(reply!)) throw refusedBy(endpoint, 'INFO server', reply.error)
      const said = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(textOf(reply) ?? '')?.[1]?.trim() ?? ''
      return { version: said('redis_version'), configFile: said('config_file') }
    }),
    show: (value) => (isStopped(value) ? 'stopped' : `redis ${value.version}`),
    fresh: { version: '7.0.15', configFile: '/etc/redis/redis.conf' },
  }
}

export function isStopped(value: LiveSettings | RedisServer): value is { readonly type: 'stopped' } {
  return 'type' in value
}

function answered(
  endpoint: Endpoint,
  commands: readonly (readonly string[])[],
  { evenStopped = false }: { readonly evenStopped?: boolean },
): Probe<readonly Reply[] | undefined> {
  return redisAnswer(endpoint, commands).map((answer: Answer) => {
    if ('replies' in answer) return answer.replies
    if (evenStopped) return undefined
    throw notRunning(endpoint, answer.stopped, ' To write its file alone: .evenStopped().')
  })
}

/** What the server tells of a directive; `null` where it has none of that name. */
function tellOf(endpoint: Endpoint, name: string, reply: Reply): string | null {
  if (isError(reply)) throw refusedBy(endpoint, `CONFIG GET ${name}`, reply.error)
  return Array.isArray(reply) ? (textOf(reply[1] as Reply) ?? null) : null
}

function valueOf(id: string, told: string | null): string | null {
  if (told === null) return null
  const [name = '', which] = id.split(' ')
  const words = told.split(' ').filter(Boolean)
  if (which !== undefined) return limitsIn(words).get(which) ?? null
  return canonical(name as DirectiveName, words) ?? told
}

/** Directives and their values, as CONFIG SET takes them; the classes of one directive are one value. */
function argumentsOf(ids: readonly string[], to: Readonly<Record<string, string | null>>): readonly string[] {
  const values = new Map<string, string>()
  for (const id of ids) {
    const [name = '', which] = id.split(' ')
    const value = to[id]
    if (value === null || value === undefined) throw new Failure('E_REFUSED', `The server does not know ${name}.`)
    const before = values.get(name)
    const own = which === undefined ? value : `${which} ${value}`
    values.set(name, before === undefined ? own : `${before} ${own}`)
  }
  return [...values].flat()
}

function tell(value: Readonly<Record<string, string | null>>): readonly string[] {
  return Object.entries(value).map(([id, told]) => `${id} ${told === null ? '(unknown)' : told === '' ? '""' : told}`)
}

/** What the settings would be, were they set. */
export function settled(now: LiveSettings, settings: readonly Setting[]): LiveSettings {
  return isStopped(now) ? now : { ...now, ...Object.fromEntries(settings.map(({ id, value }) => [id, value])) }
}
