/** 103 Early Hints from a frontend of a HAProxy whose configuration others write. */

import { look, type Resource, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { Failure } from '../../errors/failure.ts'
import type { FileState } from '../../probe/file.ts'
import { lines } from '../../shell/script.ts'
import { unchanged } from '../file-write.ts'
import { haproxyFile } from '../haproxy-file.ts'
import { type Preload, withLink } from '../link-header.ts'
import { reload } from '../service.ts'
import { atLeast, haproxyVersion } from '../software-version.ts'
import { edited, textIn } from '../text-file.ts'
import { haproxyConfigPath } from './config.ts'
import { earlyHintRule } from './early-hint-rule.ts'
import { nameProblem } from './section.ts'
import {
  frontendIn,
  frontendNames,
  linesWithin,
  offersHttp2,
  type WrittenFrontend,
  withRule,
} from './written-section.ts'

/** Early hints of which none is said yet. */
export interface HaproxyEarlyHintsStart {
  /**
   * What the pages need: a path of the site or an https URL, percent-encoded. Several calls are one 103, up to 8 KiB in all.
   *
   * @example
   * .preload('/assets/css/critical-coach.min.css', { as: 'style' })
   */
  preload(target: string, options: Preload): HaproxyEarlyHints
  /** No early hints of ours in the frontend. */
  absent(): HaproxyEarlyHints
}

/**
 * Lets a frontend (or a `listen` section) of `/etc/haproxy/haproxy.cfg` send `103 Early Hints` to navigations by HTTP/2
 * (`Sec-Fetch-Mode: navigate`), before the server behind it has answered. It owns one line of the file; all else is as others
 * write it. For a file that `haproxyConfig()` writes, say `.preload()` of its frontend instead.
 *
 * The links are the same for every page of the frontend, and are sent before whatever the answer will be, even a 404. HAProxy
 * itself tests the new file beside the old one; one that it refuses is never put in place. HAProxy is reloaded at the end of
 * the play where something changed.
 *
 * Refused in the plan: HAProxy before 2.6, a frontend that is not in the file or speaks tcp, and early hints that somebody else
 * wrote there: browsers act on the first 103 only. A name and URLs that are not valid are told before any connection.
 *
 * @example
 * haproxyEarlyHints('https').preload('/assets/css/critical-coach.min.css', { as: 'style' })
 * @see https://docs.haproxy.org/3.2/configuration.html#http-request%20early-hint
 */
export function haproxyEarlyHints(frontend: string): HaproxyEarlyHintsStart {
  return new HaproxyEarlyHints(frontend)
}

export class HaproxyEarlyHints extends Task implements HaproxyEarlyHintsStart {
  readonly module = 'haproxyEarlyHints'
  readonly id: string
  readonly links: readonly string[] = []
  readonly isAbsent: boolean = false

  /** @internal Made by `haproxyEarlyHints()`. */
  constructor(frontend: string) {
    super()
    this.id = frontend
    const problem = nameProblem(frontend)
    const task = this.notify(reload('haproxy.service'))
    return problem ? task.saying({}, problem) : task
  }

  preload(target: string, options: Preload): HaproxyEarlyHints {
    const links = withLink(this.links, target, options)
    return 'problem' in links ? this.saying({}, links.problem) : this.saying({ links })
  }

  absent(): HaproxyEarlyHints {
    return this.saying({ isAbsent: true })
  }

  override get unfinished(): string | undefined {
    const isSaid = this.isAbsent || this.links.length > 0 || this.problems.length > 0
    return isSaid ? undefined : `haproxyEarlyHints ${this.id} hints at nothing: .preload() something, or .absent()`
  }

  get wishes(): readonly Wish[] {
    const place = editedConfig(haproxyConfigPath)
    const rule = this.isAbsent ? undefined : earlyHintRule(this.links)
    return [
      look(haproxyVersion),
      want(place, (now, as) => {
        if (this.isAbsent && now.type === 'absent') return now
        return edited(haproxyConfigPath, now, as, false, (text) => {
          const frontend = frontendIn(text, this.id)
          if (frontend) return withRule(text, frontend, mark, rule)
          if (this.isAbsent) return text
          throw notThere(this.id, text)
        })
      }),
    ]
  }

  override judge({ now }: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const version = now(haproxyVersion)
    if (version === null) return [refuse('HAProxy is not installed.', 'Install the package haproxy before this task.')]
    if (!atLeast(version, '2.6'))
      return [refuse(`HAProxy ${version} is older than 2.6, the oldest by which early hints are known to work.`)]
    const text = textIn(haproxyConfigPath, now(editedConfig(haproxyConfigPath)))
    const frontend = frontendIn(text, this.id)
    return frontend ? verdicts(this.id, text, frontend, version) : []
  }

  private saying(said: Partial<HaproxyEarlyHints>, problem?: string): this {
    const next = this.with<HaproxyEarlyHints>(said)
    const both = next.isAbsent && next.links.length > 0 ? 'it cannot be absent and hint at something' : undefined
    const wrong = problem ?? both
    return next.wrong(wrong && `haproxyEarlyHints ${this.id}: ${wrong}`)
  }
}

/** By what the line is known again. */
const mark = ' # haproxyEarlyHints() of fleetplay'

/** The configuration, written only while it is as it was read, and only where HAProxy accepts it. */
function editedConfig(path: string): Resource<FileState> {
  const place = haproxyFile(path)
  return { ...place, write: (to, from) => lines(unchanged(path, from).touches(), place.write!(to, from)) }
}

function notThere(name: string, text: string): Failure {
  const names = frontendNames(text)
  return new Failure('E_REFUSED', `${haproxyConfigPath} has no frontend ${name}.`, {
    hint: names.length === 0 ? 'It has none at all.' : `It has ${names.join(', ')}.`,
  })
}

function verdicts(name: string, text: string, frontend: WrittenFrontend, version: string): readonly Verdict[] {
  if (frontend.mode !== 'http') return [refuse(`The frontend ${name} speaks ${frontend.mode}, and can send no 103.`)]
  const own = linesWithin(text, frontend)
  if (own.some((line) => /^http-request\s+early-hint\s/.test(line) && !line.endsWith(mark))) {
    return [
      refuse(
        `The frontend ${name} has early hints that somebody else wrote, and browsers act on the first 103 only.`,
        `Take them out of ${haproxyConfigPath}, and say them with .preload().`,
      ),
    ]
  }
  if (offersHttp2(own, version)) return []
  return [note(`The frontend ${name} does not offer HTTP/2 everywhere (alpn h2): clients of HTTP/1.1 get no hints.`)]
}
