/** Jobs of cron: a file of their own in /etc/cron.d, or lines in the crontab of a user. */

import { look, type Resource, want, type Wish } from '../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../dsl/task.ts'
import { isProblem } from '../dsl/variable.ts'
import { Failure } from '../errors/failure.ts'
import { contentOf, type FileState } from '../probe/file.ts'
import { holdsSecret, namesSecret } from '../shell/secret-text.ts'
import { accountName } from './accounts.ts'
import { type CrontabState, crontab } from './crontab.ts'
import { type Schedule, schedule } from './cron-schedule.ts'
import { directoryOf, fileAt } from './file.ts'
import { account } from './user.ts'

/** A job that does not say yet when it runs. */
export interface CronStart {
  /**
   * When it runs: minute, hour, day of month, month and day of week (`'30 4 * * mon-fri'`), or `@reboot @yearly @monthly @weekly
   * @daily @hourly`, in the time zone of the host.
   */
  schedule(times: string): CronScheduled
  /** The user who runs it. @default root */
  as(user: string): CronStart
  /** It is in the crontab of its user, and not in /etc/cron.d. */
  inCrontab(): CronStart
  /** No such job here. */
  absent(): Cron
}

/** A job that does not say yet what it runs. */
export interface CronScheduled {
  /** The user who runs it. @default root */
  as(user: string): CronScheduled
  /** It is in the crontab of its user, and not in /etc/cron.d. */
  inCrontab(): CronScheduled
  /** Variables of its environment. */
  env(variables: Readonly<Record<string, string>>): CronScheduled
  /** The command, as for `sh -c`; percent signs and backslashes are written for cron so that it hands them on as they are. */
  runs(command: string): Cron
}

/**
 * A job of cron, in the file `/etc/cron.d/NAME`; or by `.inCrontab()` in the crontab of its user, between whose other lines it is
 * found by a comment (`# fleetplay: NAME`); the line below the comment is the job's.
 *
 * cron's `PATH` is `/usr/bin:/bin`, and what a job prints is mailed, where the host can send mail: `env({ MAILTO: '' })` is for none.
 *
 * cron answers most mistakes by ignoring the file and a line in the log, so all are told before any connection: a name with a dot,
 * a schedule that it does not understand or that never comes, a command of several lines or of more than 998 bytes.
 * A user who does not exist is refused in the plan.
 *
 * @example
 * cron('wp-cron').schedule('0-59/5 * * * *').as('www-data').runs('php /srv/www/wp-cron.php')
 * cron('report').schedule('@daily').as('deploy').runs('./report >>report.log').inCrontab()
 * @see crontab(5), cron(8)
 */
export function cron(name: string): CronStart {
  return new Cron(name)
}

export class Cron extends Task implements CronStart, CronScheduled {
  readonly module = 'cron'
  readonly id: string
  readonly times: Schedule | undefined
  readonly command: string | undefined
  readonly user: string = 'root'
  readonly environment: Readonly<Record<string, string>> = {}
  readonly isInCrontab: boolean = false
  readonly isAbsent: boolean = false

  /** @internal Made by `cron()`. */
  constructor(name: string) {
    super()
    this.id = name
    this.times = undefined
    this.command = undefined
    if (/^[A-Za-z0-9_-]+$/.test(name)) return
    return this.wrong(
      `cron(${JSON.stringify(name)}): not a name for a file in /etc/cron.d`,
      'Letters, digits, - and _ only: cron silently ignores a file with a dot in its name.',
    )
  }

  schedule(times: string): Cron {
    const parsed = schedule(times)
    if (!isProblem(parsed)) return this.says({ times: parsed })
    return this.says({ times: { text: times, eitherDay: false } }).wrong(`cron ${this.id}: ${parsed.problem}`)
  }

  as(user: string): Cron {
    const parsed = accountName(user)
    return isProblem(parsed) ? this.wrong(`cron ${this.id}: ${parsed.problem}`) : this.says({ user: parsed })
  }

  runs(command: string): Cron {
    return this.says({ command }).wrong(commandProblem(this.id, command))
  }

  /** Variables of its environment: `{ MAILTO: '' }`. In a crontab they would reach the jobs of others below, so there they are refused. */
  env(variables: Readonly<Record<string, string>>): Cron {
    const problem = Object.entries(variables)
      .map(variableProblem)
      .find((text) => text !== undefined)
    return this.says({ environment: { ...this.environment, ...variables } }).wrong(
      problem && `cron ${this.id}: ${problem}`,
    )
  }

  inCrontab(): Cron {
    return this.says({ isInCrontab: true })
  }

  absent(): Cron {
    return this.says({ isAbsent: true })
  }

  override get unfinished() {
    if (this.isAbsent || (this.times && this.command !== undefined)) return undefined
    return `cron ${this.id} lacks ${this.times ? 'what it runs: runs()' : 'its times: schedule()'}`
  }

  get wishes(): readonly Wish[] {
    if (this.isInCrontab) return [look(account(this.user)), want(crontab(this.user), (now) => this.crontabWith(now))]
    const file = this.file
    if (this.isAbsent) return [want(file, noFile, { whole: 'absent' })]
    const text = this.text
    return [
      look(account(this.user)),
      look(directoryOf(this.path)),
      want(file, (now) => cronFile(now, text), { whole: text }),
    ]
  }

  override judge({ now, certain }: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const user = account(this.user)
    if (now(user) === null && certain(user)) {
      const reason = `There is no account ${this.user} on this host, so cron would ignore the job.`
      return [refuse(reason, `Make it in an earlier task: user('${this.user}')`)]
    }
    const directory = directoryOf(this.path)
    if (!this.isInCrontab && now(directory).type === 'absent' && certain(directory)) {
      return [
        refuse(
          'There is no cron on this host: /etc/cron.d does not exist.',
          "Install it in an earlier task: aptPackage('cron')",
        ),
      ]
    }
    return this.times?.eitherDay
      ? [note('It runs on the days of the month and on the days of the week: cron takes either.')]
      : []
  }

  private get path(): string {
    return `/etc/cron.d/${this.id}`
  }

  private get file(): Resource<FileState> {
    return fileAt(this.path)
  }

  private get text(): string {
    const variables = Object.entries(this.environment).map(([name, value]) => `${name}=${quoted(value)}`)
    const job = `${this.times?.text} ${this.user} ${escaped(this.command ?? '')}`
    return ['# Managed by fleetplay: changes made here are overwritten.', ...variables, job, ''].join('\n')
  }

  /** Our comment and the line after it, in the place where they are, or at the end. */
  private crontabWith(now: CrontabState | null): CrontabState | null {
    const marker = `# fleetplay: ${this.id}`
    const had = now?.lines ?? []
    const at = had.indexOf(marker)
    const ours = this.isAbsent ? [] : [marker, `${this.times?.text} ${escaped(this.command ?? '')}`]
    const lines = at < 0 ? [...had, ...ours] : [...had.slice(0, at), ...ours, ...had.slice(at + 2)]
    return lines.length > 0 ? { lines } : null
  }

  private says(fields: Partial<Cron>): Cron {
    const next = this.with<Cron>(fields)
    const hint = next.isAbsent ? undefined : 'Leave inCrontab() out, or set the variable in the command.'
    return contradiction(this) ? next : next.wrong(contradiction(next), hint)
  }
}

function contradiction({ id, isAbsent, isInCrontab, times, command, environment }: Cron): string | undefined {
  if (isAbsent && (times || command !== undefined)) return `cron ${id} cannot be absent and have times or a command`
  const isShared = isInCrontab && Object.keys(environment).length > 0
  return isShared ? `cron ${id}: in a crontab a variable holds for all jobs below it, those of others too` : undefined
}

/** cron ignores a file that others may write, that is not root's, or that does not end in a newline. */
function cronFile(now: FileState, text: string): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is in the place of the file.')
  return { type: 'file', content: contentOf(Buffer.from(text)), mode: '0644', owner: 'root', group: 'root' }
}

function noFile(now: FileState): FileState {
  if (now.type === 'directory') throw new Failure('E_REFUSED', 'A directory is in the place of the file.')
  return { type: 'absent' }
}

/** The longest command that cron takes is one byte shorter than its buffer of 1000. */
const longestCommand = 998

function commandProblem(id: string, command: string): string | undefined {
  if (command.trim() === '') return `cron ${id}: the command is empty`
  // oxlint-disable-next-line no-control-regex -- they would end the line of the crontab
  if (/[\u0000\n\r]/.test(command)) return `cron ${id}: a command of cron is one line; put several into a script`
  if (holdsSecret(command))
    return `cron ${id}: a password or token in the command would be readable by everybody on the host; have the command read it from a file of mode 0600`
  if (Buffer.byteLength(escaped(command)) <= longestCommand) return undefined
  return `cron ${id}: the command is longer than ${longestCommand} bytes, and cron would ignore the file; put it into a script`
}

/**
 * For cron, `%` ends the command and begins its standard input, `\%` is a percent sign and `\\` a backslash: seen with
 * Debian's 3.0pl1-162 and 3.0pl1-212. Without blanks around it: cron hands them on.
 */
function escaped(command: string): string {
  return command.trim().replace(/[\\%]/g, '\\$&')
}

function variableProblem([name, value]: readonly [string, string]): string | undefined {
  if (!/^[A-Za-z_]\w*$/.test(name)) return `${JSON.stringify(name)} is not the name of a variable`
  // oxlint-disable-next-line no-control-regex -- they would end the line of the crontab
  if (/[\u0000\n\r]/.test(value)) return `${name} is one line`
  if (namesSecret(name) || holdsSecret(`${name}=${value}`))
    return `${name} would be readable by everybody on the host; have the command read it from a file of mode 0600`
  return value.includes('"') && value.includes("'")
    ? `${name} cannot hold both kinds of quotes: cron knows no escape`
    : undefined
}

function quoted(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`
}
