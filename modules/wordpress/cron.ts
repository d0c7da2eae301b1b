/** WordPress's scheduled events, run by the system and not by visitors. */

import { look, want, type Wish } from '../../dsl/resource.ts'
import { pathProblem } from '../../dsl/host-path.ts'
import { type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { isProblem } from '../../dsl/variable.ts'
import { contentOf, type FileState } from '../../probe/file.ts'
import { quote } from '../../shell/quote.ts'
import { accountName } from '../accounts.ts'
import { cron } from '../cron.ts'
import { fileAt } from '../file.ts'
import { unit } from '../unit.ts'
import { account } from '../user.ts'
import { wpConfig } from './config.ts'
import { calendar, jobName, serviceText, timerText, unitFile } from './timer-files.ts'

export interface WpCronOptions {
  /** The user of the site, who runs its events. @default 'www-data' */
  readonly user?: string
  /** The file with the site's constants, as an absolute path; on Debian `/etc/wordpress/config-SITE.php`. @default wp-config.php in the folder */
  readonly config?: string
  /** The host name of the site, where its configuration asks for it: a multisite, and Debian's own wp-config.php. */
  readonly host?: string
}

/** A site of which it is not said when its events run. */
export interface WpCronStart {
  /**
   * By cron, every so many minutes: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60; others would not come evenly in an hour.
   *
   * @example
   * wpCron('/srv/www').everyMinutes(5)
   */
  everyMinutes(minutes: number): WpCron
  /**
   * By a timer of systemd, at the times of a calendar expression (`*:0/5`, `hourly`); one that the host's systemd does not
   * understand, and one that never comes, is refused in the plan. A run that is still going on is not joined by a second one.
   *
   * @example
   * wpCron('/srv/www').byTimer('*:0/5')
   * @see systemd.time(7)
   */
  byTimer(calendar: string): WpCron
}

/**
 * A WordPress whose visitors never start its scheduled events: `DISABLE_WP_CRON` is defined as `true`, as `wpConfig()` does
 * it, so that no visit makes a request of the site to itself; and the system runs `php wp-cron.php` as the user of the
 * site, which needs no wp-cli: Debian does not package it.
 *
 * The job is named after the folder: `/srv/www` is `/etc/cron.d/wp-cron-srv-www`, or `wp-cron-srv-www.timer`; a folder with other
 * characters than letters, digits and `/._-` is named by a digest.
 *
 * Refused before any connection: a folder that is relative or has control characters. Refused in the plan: a
 * configuration that `wpConfig()` refuses, a user who does not exist, a host without cron or systemd, and a timer of an
 * earlier run beside a job of cron; a job of cron beside a timer is removed.
 *
 * @example
 * wpCron('/srv/www').everyMinutes(5)
 * wpCron('/usr/share/wordpress', { config: '/etc/wordpress/config-coaching.example.php', host: 'coaching.example' }).byTimer('*:0/5')
 * @see https://developer.wordpress.org/plugins/cron/hooking-wp-cron-into-the-system-task-scheduler/
 */
export function wpCron(folder: string, options: WpCronOptions = {}): WpCronStart {
  return new WpCron(folder, options)
}

type Times = { readonly by: 'cron'; readonly schedule: string } | { readonly by: 'timer'; readonly calendar: string }

export class WpCron extends Task implements WpCronStart {
  readonly module = 'wpCron'
  readonly id: string
  readonly user: string
  readonly config: string
  readonly host: string | undefined
  readonly times: Times | undefined

  /** @internal Made by `wpCron()`. */
  constructor(folder: string, { user = 'www-data', config = `${folder}/wp-config.php`, host }: WpCronOptions) {
    super()
    this.id = folder
    this.user = user
    this.config = config
    this.host = host
    this.times = undefined
    const parsed = accountName(user)
    // oxlint-disable-next-line no-control-regex -- they would end a line of a unit or a crontab
    const control = /[\u0000-\u001f\u007f]/.test(folder)
      ? `the folder ${JSON.stringify(folder)} has control characters`
      : undefined
    const long = folder.length > 200 ? 'the path is too long for the name of a job' : undefined
    const badHost =
      host === undefined || /^[a-z0-9.-]+(?::\d+)?$/i.test(host)
        ? undefined
        : `${JSON.stringify(host)} is not the name of a host`
    const problem =
      pathProblem(folder) ?? control ?? long ?? badHost ?? (isProblem(parsed) ? parsed.problem : undefined)
    if (problem) return this.wrong(`wpCron: ${problem}`)
  }

  everyMinutes(minutes: number): WpCron {
    const isEven = Number.isInteger(minutes) && minutes >= 1 && 60 % minutes === 0
    const schedule = minutes === 60 ? '0 * * * *' : minutes === 1 ? '* * * * *' : `*/${isEven ? minutes : 5} * * * *`
    return this.says(
      { by: 'cron', schedule },
      isEven ? undefined : `every ${minutes} minutes does not come evenly in an hour`,
    )
  }

  byTimer(expression: string): WpCron {
    // oxlint-disable-next-line no-control-regex -- they would end the line of the unit
    const isLine = expression.trim() !== '' && !/[\u0000-\u001f\u007f]/.test(expression)
    return this.says(
      { by: 'timer', calendar: expression.trim() },
      isLine ? undefined : `${JSON.stringify(expression)} is not a calendar expression`,
    )
  }

  override get unfinished() {
    return this.times
      ? undefined
      : `wpCron ${this.id} does not say when: end it with .everyMinutes(5) or .byTimer('*:0/5')`
  }

  /** First who runs the events, then the define that keeps visits from it: no event is without either. */
  override get parts(): readonly Task[] {
    const { times, name, user } = this
    // A path with a NUL byte cannot be a word of a command.
    if (!times || this.problems.length > 0) return []
    const define = wpConfig(this.config).define('DISABLE_WP_CRON', true)
    if (times.by === 'timer') return [define]
    return [cron(name).schedule(times.schedule).as(user).runs(this.command), define]
  }

  get wishes(): readonly Wish[] {
    const { times, name, user, id } = this
    if (!times) return []
    if (times.by === 'cron') return [look(this.timerFile)]
    return [
      look(account(user)),
      look(calendar(times.calendar)),
      want(unitFile(this.path('service')), owned(serviceText(id, user, this.host))),
      want(this.timerFile, owned(timerText(id, times.calendar))),
      want(unit(`${name}.timer`), { enabled: 'enabled', active: true }),
      want(fileAt(`/etc/cron.d/${name}`), { type: 'absent' }),
    ]
  }

  override judge({ now, certain }: Reading): readonly Verdict[] {
    const { times, name, user } = this
    if (times?.by === 'cron') {
      const isThere = now(this.timerFile).type !== 'absent' && certain(this.timerFile)
      const hint = `Remove it in an earlier run: service('${name}.timer').disabled().stopped() and systemdUnit('${name}.timer').absent()`
      return isThere ? [refuse(`${name}.timer runs the same events already.`, hint)] : []
    }
    const expression = calendar(times!.calendar)
    const { said } = now(expression)
    const known = account(user)
    return [
      ...(said === null
        ? []
        : [
            refuse(
              `systemd has no times for ${name}.timer: ${said}`,
              'See systemd.time(7): *:0/5 is every five minutes.',
            ),
          ]),
      ...(now(known) === null && certain(known)
        ? [
            refuse(
              `There is no account ${user} on this host, to run the events.`,
              `Make it in an earlier task: user('${user}')`,
            ),
          ]
        : []),
    ]
  }

  private get name(): string {
    return jobName(this.id)
  }

  private get timerFile() {
    return unitFile(this.path('timer'))
  }

  private get command(): string {
    const environment = this.host === undefined ? '' : `HTTP_HOST=${quote(this.host)} `
    return `cd ${quote(this.id)} && ${environment}php wp-cron.php`
  }

  private path(kind: 'service' | 'timer'): string {
    return `/etc/systemd/system/${this.name}.${kind}`
  }

  private says(times: Times, problem: string | undefined): WpCron {
    const twice = this.times ? `wpCron ${this.id} says twice when` : undefined
    return this.with<WpCron>({ times })
      .wrong(problem && `wpCron ${this.id}: ${problem}`)
      .wrong(twice)
  }
}

function owned(text: string): FileState {
  return { type: 'file', content: contentOf(Buffer.from(text)), mode: '0644', owner: 'root', group: 'root' }
}
