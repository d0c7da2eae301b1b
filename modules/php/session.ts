/** Where PHP keeps its sessions. */

import { halfCharacter } from '../../dsl/half-character.ts'
import { pathProblem } from '../../dsl/host-path.ts'
import { look, type Wish } from '../../dsl/resource.ts'
import { type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { type Duration, seconds } from '../../dsl/units.ts'
import { isProblem } from '../../dsl/variable.ts'
import type { PhpVersion } from './layout.ts'
import { type IniSettings, type PhpIni, phpIni } from './php-ini.ts'
import { knownSettings } from './settings-read.ts'

/** A Redis server that keeps sessions. */
export interface RedisSessions {
  /** Name or address of the server, as the host of PHP knows it. @default '127.0.0.1' */
  readonly host?: string
  /** @default 6379 */
  readonly port?: number
  /** The Unix socket of the server, instead of a host and a port. */
  readonly socket?: string
  /** The number of the database. @default 0 */
  readonly database?: number
  /** What the keys begin with. @default 'PHPREDIS_SESSION:' */
  readonly prefix?: string
  /** How long PHP waits for the server. @default for ever */
  readonly timeout?: Duration
  /** How long a session lives after it was used last. @default 24min, unless other settings say so */
  readonly lifetime?: Duration
  /** Whether two requests of one session wait for each other, as they do with files. @default false, as phpredis has it */
  readonly locking?: boolean
}

/** Sessions of which is not said yet where they are kept. */
export interface PhpSessionStart {
  /** In a Redis server, by phpredis. */
  redis(server?: RedisSessions): PhpSession
  /** Where PHP and its other settings say: Debian's keeps them in files. */
  absent(): PhpSession
}

/**
 * Where the php-fpm of a version keeps its sessions: `session.save_handler` and `session.save_path` in
 * `/etc/php/VERSION/fpm/conf.d/99-session.ini`, under all that `phpIni()` holds. A master that runs reads it when it is reloaded:
 * `.notify(reload(…))`. Sessions that are open are not moved: who is logged in logs in anew.
 *
 * Told before any connection: a server that cannot be one, and a password, which would stand in a file that all may read. Refused in
 * the plan: a PHP that does not say that it has phpredis.
 *
 * @example
 * phpSession('8.4').redis({ host: 'cache1', prefix: 'coaching:', lifetime: '2h' }).notify(reload('php8.4-fpm'))
 * phpSession('8.4').redis({ socket: '/run/redis/redis-server.sock', locking: true })
 * @see https://github.com/phpredis/phpredis#php-session-handler
 */
export function phpSession(version: PhpVersion): PhpSessionStart {
  return new PhpSession(version)
}

export class PhpSession extends Task implements PhpSessionStart {
  readonly module = 'phpSession'
  readonly id: string
  readonly version: PhpVersion
  /** Undefined for PHP's own. */
  readonly settings: IniSettings | undefined
  readonly isAbsent: boolean = false

  /** @internal Made by `phpSession()`. */
  constructor(version: PhpVersion) {
    super()
    this.id = version
    this.version = version
    this.settings = undefined
  }

  redis(server: RedisSessions = {}): PhpSession {
    const { lifetime, locking } = server
    const [life, path] = [lifetime === undefined ? undefined : wholeSeconds(lifetime), savePath(server)]
    const task = this.wrong(isProblem(life) ? `phpSession ${this.id}: lifetime: ${life.problem}` : undefined)
    if (isProblem(path)) return task.wrong(`phpSession ${this.id}: ${path.problem}`, path.hint)
    const settings: IniSettings = {
      'session.save_handler': 'redis',
      'session.save_path': path,
      ...(typeof life === 'number' && { 'session.gc_maxlifetime': life }),
      ...(locking !== undefined && { 'redis.session.locking_enabled': locking }),
    }
    return task.with<PhpSession>({ settings })
  }

  absent(): PhpSession {
    return this.with<PhpSession>({ isAbsent: true })
  }

  override get unfinished() {
    if (this.settings && this.isAbsent) return `phpSession ${this.id} cannot be absent and in Redis`
    const says = this.settings !== undefined || this.isAbsent || this.problems.length > 0
    return says ? undefined : `phpSession ${this.id} says nothing: end it with .redis({ … }) or .absent()`
  }

  /** What is wrong with the version, the part tells. */
  override get parts(): readonly [PhpIni] {
    const file = phpIni(this.version, 'session')
    return [this.settings ? file.set(this.settings) : file.absent()]
  }

  get wishes(): readonly Wish[] {
    return this.settings ? [look(knownSettings(this.version, 'fpm'))] : []
  }

  override judge({ now, certain }: Reading): readonly Verdict[] {
    if (!this.settings) return []
    const place = knownSettings(this.version, 'fpm')
    const known = now(place)
    if (known.length === 0 || !certain(place) || known.includes('redis.session.locking_enabled')) return []
    return [
      refuse(
        `The php-fpm of PHP ${this.version} has no phpredis, so it would start no session.`,
        `Install it in an earlier task: aptPackage('php-redis')`,
      ),
    ]
  }
}

type Wrong = { readonly problem: string; readonly hint?: string }

/** `tcp://cache1:6379?database=2&prefix=coaching%3A`; phpredis reads it as a URL. */
function savePath(server: RedisSessions): string | Wrong {
  const { host = '127.0.0.1', port = 6379, socket, database = 0, prefix, timeout } = server
  if ('auth' in server || 'password' in server)
    return {
      problem: 'a password would stand in a file that all may read',
      hint: 'Reach the server by a socket that only its group may open, or over a network that only its clients are in.',
    }
  if (socket !== undefined && (server.host !== undefined || server.port !== undefined))
    return { problem: 'say a socket, or a host and a port' }
  const problem = socket === undefined ? addressProblem(host, port) : socketProblem(socket)
  if (problem !== undefined) return { problem }
  if (!Number.isInteger(database) || database < 0) return { problem: `${database} is not the number of a database` }
  const half = prefix === undefined ? undefined : halfCharacter(prefix)
  if (half !== undefined) return { problem: half }
  const wait = timeout === undefined ? undefined : seconds(timeout)
  if (isProblem(wait)) return { problem: `timeout: ${wait.problem}` }
  const query = [
    ...(database === 0 ? [] : [`database=${database}`]),
    ...(prefix === undefined ? [] : [`prefix=${encodeURIComponent(prefix).replaceAll("'", '%27')}`]),
    ...(wait === undefined ? [] : [`timeout=${wait}`]),
  ].join('&')
  const at = socket === undefined ? `tcp://${host.includes(':') ? `[${host}]` : host}:${port}` : `unix://${socket}`
  return query === '' ? at : `${at}?${query}`
}

function addressProblem(host: string, port: number): string | undefined {
  if (!/^[\w:.-]{1,253}$/.test(host)) return `${JSON.stringify(host)} is not a host name or an address`
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? undefined : `${port} is not a port`
}

/** Characters that a URL, or the list of servers that it stands in, would read as its own. */
function socketProblem(path: string): string | undefined {
  const problem = pathProblem(path)
  if (problem) return problem
  return /^[\w./@:-]+$/.test(path) ? undefined : `the path ${JSON.stringify(path)} cannot stand in session.save_path`
}

function wholeSeconds(span: Duration) {
  const result = seconds(span)
  if (isProblem(result) || (Number.isInteger(result) && result > 0)) return result
  return { problem: `${span} is not a whole number of seconds` }
}
