/** Directives of a Redis server: in the running server, and in its file for the next start. */

import { pathProblem } from '../../dsl/host-path.ts'
import { look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, standingNote, Task, type Verdict } from '../../dsl/task.ts'
import { isProblem } from '../../dsl/variable.ts'
import { Failure } from '../../errors/failure.ts'
import { nearest } from '../../errors/suggest.ts'
import { edited, textIn } from '../text-file.ts'
import { claim } from './claim.ts'
import { find, type IncludedLine, includedLines, includesOf, redisConf, withSettings } from './config-file.ts'
import {
  type DirectiveName,
  directives,
  isAtStart,
  nameProblem,
  namesOf,
  type RedisSettings,
  type Setting,
  settingsOf,
} from './directives.ts'
import { type Endpoint, endpointName, endpointProblem, localRedis } from './endpoint.ts'
import { isStopped, type LiveSettings, redisServer, redisSettings, settled } from './settings.ts'

/**
 * Directives of a Redis server, by their names in redis.conf: set in the running server, all of them by one `CONFIG SET`, which
 * takes all or none; then in the lines of `/etc/redis/redis.conf`, where comments and order stay. The server comes first, so
 * that a value that it refuses never gets into the file that the next start would stumble over. `CONFIG REWRITE` is never used.
 *
 * Compared is what a value means: `256mb` is 268435456 bytes, `256m` is 256000000, and flags have no order. A line that says the
 * same already stays as it is written. Where a directive has several lines the last one counts, and is the one that is edited.
 * Of `client-output-buffer-limit` only the classes that are said are owned.
 *
 * Told before any connection: an unknown directive (with the nearest), a value out of its range (the server makes 500 of
 * `hz 600` without a word), and directives that hold secrets. Refused in the plan: a server that does not know a directive, one that
 * was started with another file, an included file that would set another value after ours, and a server that does not run
 * (unless `.evenStopped()`). A directive that only a start reads, such as `databases`, is written to the file, and the plan says
 * that the server must be restarted.
 *
 * @example
 * redisConfig({ maxmemory: '256mb', 'maxmemory-policy': 'allkeys-lru', timeout: '5m' })
 * redisConfig({ 'client-output-buffer-limit': { replica: { hard: '512mb', soft: '128mb', seconds: 60 } } })
 * redisConfig({ databases: 32 }).notify(restart('redis-server'))
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management/config/
 */
export function redisConfig(settings: RedisSettings): RedisConfig {
  return new RedisConfig(settings)
}

export class RedisConfig extends Task {
  readonly module = 'redisConfig'
  readonly settings: readonly Setting[]
  readonly endpoint: Endpoint = localRedis
  readonly path: string = '/etc/redis/redis.conf'
  readonly mayStop: boolean = false

  /** @internal Made by `redisConfig()`. */
  constructor(settings: RedisSettings) {
    super()
    const said = Object.entries(settings).filter(([, value]) => value !== undefined)
    const wrong = said.flatMap(([name]) => nameProblem(name) ?? [])
    const parsed = said
      .filter(([name]) => nameProblem(name) === undefined)
      .map(([name, value]) => settingsOf(name as DirectiveName, value))
    this.settings = parsed.flatMap((each) => (isProblem(each) ? [] : each))
    const problems = [
      ...wrong.map(({ problem, hint }) => ({ problem, hint })),
      ...parsed.flatMap((each) => (isProblem(each) ? [{ ...each, hint: undefined }] : [])),
      ...(said.length === 0 ? [{ problem: 'no directive is said', hint: undefined }] : []),
    ]
    return problems.reduce<RedisConfig>((task, { problem, hint }) => {
      const unknown = said.find(([name]) => problem.startsWith(JSON.stringify(name)))?.[0]
      const near = unknown === undefined ? undefined : nearest(unknown, Object.keys(directives))
      return task.wrong(`redisConfig: ${problem}`, near === undefined ? hint : `Did you mean ${near}?`)
    }, this)
  }

  get id(): string {
    return endpointName(this.endpoint)
  }

  /** The port on 127.0.0.1 where the server listens. @default 6379 */
  port(port: number): RedisConfig {
    return this.reached({ port })
  }

  /** The Unix socket where the server listens: `/run/redis/redis-server.sock`. */
  socket(path: string): RedisConfig {
    const problem = pathProblem(path)
    return this.reached({ at: path }).wrong(problem && `redisConfig: ${problem}`)
  }

  /** The user of the server's ACL who logs in. @default the default user */
  user(name: string): RedisConfig {
    return this.reached({ user: name })
  }

  /**
   * A file on the host that holds the password, and nothing else. The client reads it there: the password is in no argument,
   * no environment and no output. A wrong one is an error, as is a file that everybody may read; nothing is asked or set
   * then.
   */
  passwordFile(path: string): RedisConfig {
    return this.reached({ passwordFile: path })
  }

  /** The server's file. @default /etc/redis/redis.conf */
  file(path: string): RedisConfig {
    const problem = pathProblem(path)
    return this.with<RedisConfig>({ path }).wrong(problem && `redisConfig ${this.id}: ${problem}`)
  }

  /**
   * Takes a server that does not run: only the file is written, which is read when it starts. Nobody tries the values then.
   * Without it such a server is refused in the plan, unless an earlier task may start it.
   */
  evenStopped(): RedisConfig {
    return this.with<RedisConfig>({ mayStop: true })
  }

  get wishes(): readonly Wish[] {
    const { path, settings } = this
    const names = [...new Set(settings.flatMap(({ name }) => namesOf(name)))]
    const { live, atStart } = this.places
    return [
      look(redisServer(this.endpoint, { evenStopped: this.mayStop })),
      ...settings.map(({ id, name, value }) => {
        return claim(`redis-directive:${this.id}/${id}`, id, value === '' ? `no ${name}` : value)
      }),
      ...(atStart ? [look(atStart.place)] : []),
      ...(live ? [want(live.place, (now) => settled(now, live.settings))] : []),
      look(includedLines(path, names)),
      want(redisConf(path), (now, as) => {
        if (now.type === 'absent') throw noFile(path)
        return edited(path, now, as, false, (text) => withSettings(text, settings))
      }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const { now } = reading
    const { live, atStart } = this.places
    const server = now(redisServer(this.endpoint, { evenStopped: this.mayStop }))
    const verdicts: Verdict[] = []
    if (isStopped(server)) {
      const stopped = `Redis does not run at ${this.id}: only ${this.path} is written, and nobody tried the values.`
      if (reading.changes(redisConf(this.path))) verdicts.push(note(stopped))
    } else {
      if (server.configFile !== this.path) verdicts.push(refuse(...this.otherFile(server.configFile)))
      const unknown = [live, atStart].flatMap((part) => (part ? unknownIn(now(part.place), part.settings) : []))
      for (const id of unknown) verdicts.push(refuse(`Redis ${server.version} has no directive ${id}.`))
      const late = atStart ? differing(now(atStart.place), atStart.settings) : []
      if (late.length > 0) verdicts.push(standingNote(this.needsRestart(late)))
    }
    return [...verdicts, ...this.judgeFile(reading), ...lockedOut(this.endpoint, this.settings)]
  }

  /** Included files that count more than ours, and lines that count nothing. */
  private judgeFile({ now, desired }: Reading): readonly Verdict[] {
    const { path, settings } = this
    const names = [...new Set(settings.flatMap(({ name }) => namesOf(name)))]
    const lines = now(includedLines(path, names))
    const text = textIn(path, desired(redisConf(path)))
    const includes = includesOf(text)
    return settings.flatMap((setting) => {
      const own = find(text, setting)
      const at = own.at(-1)?.line ?? 0
      const later = lines.findLast((line) => {
        const [found] = find(line.text, setting)
        if (!found) return false
        // All lines of save are added up.
        if (setting.name === 'save') return true
        return (includes[line.include - 1] ?? 0) > at && found.value !== setting.value
      })
      const hidden = setting.name === 'save' ? [] : own.slice(0, -1).map(({ line }) => line)
      if (later) return [refuse(...overruled(setting, path, later))]
      if (hidden.length === 0) return []
      return [note(`${setting.id} is also on ${listed(hidden)} of ${path}; line ${at}, the last, counts`)]
    })
  }

  private get places() {
    const { endpoint, mayStop } = this
    const part = (settings: readonly Setting[]) => {
      if (settings.length === 0) return undefined
      const place = redisSettings(
        settings.map(({ id }) => id),
        endpoint,
        { evenStopped: mayStop },
      )
      return { settings, place }
    }
    return {
      live: part(this.settings.filter(({ name }) => !isAtStart(name))),
      atStart: part(this.settings.filter(({ name }) => isAtStart(name))),
    }
  }

  private needsRestart(late: readonly string[]): string {
    const restarts = this.keywords.notify.some(({ key }) => key.includes('redis'))
    const says = `${late.join(', ')}: read only when the server starts`
    return restarts ? says : `${says}; the running one keeps what it has until then (notify(restart('redis-server')))`
  }

  private otherFile(file: string): [reason: string, hint: string] {
    if (file === '') return [`Redis at ${this.id} was started without a file.`, 'Start it with one: its unit says how.']
    return [
      `Redis at ${this.id} was started with ${file}, not with ${this.path}.`,
      `Say so: .file('${file}'); or name the other server: .port(number), .socket(path).`,
    ]
  }

  private reached(part: Partial<Endpoint>): RedisConfig {
    const endpoint = { ...this.endpoint, ...part }
    const problem = endpointProblem(endpoint)
    return this.with<RedisConfig>({ endpoint }).wrong(problem && `redisConfig ${endpointName(endpoint)}: ${problem}`)
  }
}

function noFile(path: string): Failure {
  const hint = "Install the server before: aptPackage('redis-server'); or say where its file is: .file(path)."
  return new Failure('E_REFUSED', `${path} does not exist.`, { hint })
}

function unknownIn(now: LiveSettings, settings: readonly Setting[]): readonly string[] {
  return isStopped(now) ? [] : settings.flatMap(({ id, name }) => (now[id] === null ? [name] : []))
}

function differing(now: LiveSettings, settings: readonly Setting[]): readonly string[] {
  return isStopped(now) ? [] : settings.flatMap(({ id, value }) => (now[id] === value ? [] : [`${id} ${value}`]))
}

/** A server that no longer listens where we reach it would be set, and never be seen to be. */
function lockedOut({ at }: Endpoint, settings: readonly Setting[]): readonly Verdict[] {
  const bind = settings.find(({ name }) => name === 'bind')
  if (!bind || at.startsWith('/')) return []
  const addresses = bind.value.split(' ').map((address) => address.replace(/^-/, ''))
  if (['*', '0.0.0.0', at].some((address) => addresses.includes(address))) return []
  return [
    refuse(
      `bind ${bind.value} leaves out ${at}, where Redis is reached.`,
      `Keep ${at} in the list, or reach the server by its socket: .socket(path).`,
    ),
  ]
}

function overruled({ name, id, value }: Setting, path: string, line: IncludedLine): [reason: string, hint: string] {
  const hint = `Take the line out of ${line.file}.`
  if (name === 'save')
    return [`${line.file}:${line.line} has a line of save, and the server adds up all of them.`, hint]
  const own = value === '' ? '""' : value
  return [`At start ${line.file}:${line.line} says ${line.text.trim()}, after ${path} has set ${id} to ${own}.`, hint]
}

function listed(lines: readonly number[]): string {
  return `${lines.length === 1 ? 'line' : 'lines'} ${lines.join(', ')}`
}
