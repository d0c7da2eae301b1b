/** A Link header on the pages of nginx: what it says, and where it counts. */

import type { Resource } from '../../dsl/resource.ts'
import { look, want, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { Probe } from '../../probe/probe.ts'
import type { FileState } from '../../probe/file.ts'
import { sh } from '../../shell/script.ts'
import { directoryOf, fileAt, needsDirectory } from '../file.ts'
import { type Preload, withLink } from '../link-header.ts'
import { reload } from '../service.ts'
import { atLeast, nginxVersion } from '../software-version.ts'
import { nginxTest } from './configuration-test.ts'
import { mergingNginx } from './directives.ts'

/** A header that links to nothing yet. */
export interface PreloadHeaderStart {
  /**
   * What the pages need: a path of the site or an https URL, percent-encoded. Several calls are one header, up to 4000 bytes.
   *
   * @example
   * .preload('/assets/css/x.min.css', { as: 'style' })
   */
  preload(target: string, options: Preload): PreloadHeader
  /** No such header and none of its files. What includes them must go first, or nginx refuses to lose them. */
  absent(): PreloadHeader
}

/**
 * A `Link: …; rel=preload` header on pages (`text/html` with status 200), for a site that includes
 * `snippets/preload-NAME.conf`. The browser learns of it with the page, not before: this is no early hint, which
 * `nginxEarlyHints()` and `haproxyEarlyHints()` send.
 *
 * nginx gives a response the `add_header` of the innermost block that has any, and none of those around it. So the snippet
 * belongs into the block that has the others; from nginx 1.29.3 on it says `add_header_inherit merge`, and may stand anywhere.
 * A snippet that nothing includes is a note in the plan, and so is the loss on an older nginx. nginx tests its configuration
 * with the new files; what it refuses is put back.
 *
 * @example
 * preloadHeader('coaching').preload('/assets/css/x.min.css', { as: 'style' }),
 * nginxSite('coaching').serverName('coaching.example').root('/var/www').directives('include snippets/preload-coaching.conf;'),
 * @see https://nginx.org/en/docs/http/ngx_http_headers_module.html
 */
export function preloadHeader(name: string): PreloadHeaderStart {
  return new PreloadHeader(name)
}

export class PreloadHeader extends Task implements PreloadHeaderStart {
  readonly module = 'preloadHeader'
  readonly id: string
  readonly links: readonly string[] = []
  readonly isAbsent: boolean = false

  /** @internal Made by `preloadHeader()`. */
  constructor(name: string) {
    super()
    this.id = name
    const header = this.notify(reload('nginx.service'))
    return /^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?$/.test(name)
      ? header
      : header.saying({}, 'the name takes up to 60 of a-z, 0-9 and -')
  }

  preload(target: string, options: Preload): PreloadHeader {
    const links = withLink(this.links, target, options)
    if ('problem' in links) return this.saying({}, links.problem)
    // nginx takes it for the beginning of a variable's name, and knows no way to write it otherwise.
    if (target.includes('$')) return this.saying({}, `${JSON.stringify(target)} has a "$": write it as %24`)
    const size = links.join(', ').length
    return size > longestWord
      ? this.saying({}, `the links come to ${size} bytes, and nginx takes ${longestWord} in one word`)
      : this.saying({ links })
  }

  absent(): PreloadHeader {
    return this.saying({ isAbsent: true })
  }

  override get unfinished(): string | undefined {
    const isSaid = this.isAbsent || this.links.length > 0 || this.problems.length > 0
    return isSaid ? undefined : `preloadHeader ${this.id} links to nothing: .preload() something, or .absent()`
  }

  get wishes(): readonly Wish[] {
    const [map, snippet] = [fileAt(this.places.map), fileAt(this.places.snippet)]
    const guard = nginxTest()
    if (this.isAbsent) {
      const absent = { type: 'absent' } as const
      return [want(snippet, absent, { guard }), want(map, absent, { guard })]
    }
    return [
      look(nginxVersion),
      look(directoryOf(this.places.snippet)),
      look(includers(this.places.snippet)),
      want(map, textFile(mapText(this.id, this.links)), { guard }),
      want(snippet, (_, __, beside) => textFile(snippetText(this.id, beside(nginxVersion) ?? '')), {
        whole: `preloadHeader ${this.id}`,
        guard,
      }),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    if (this.isAbsent) return []
    const { snippet } = this.places
    const version = reading.now(nginxVersion)
    if (version === null) return [refuse('nginx is not installed.', 'Install the package nginx before this task.')]
    const users = reading.now(includers(snippet))
    const unused = note(`Nothing includes snippets/preload-${this.id}.conf now, so no page has the header.`)
    const alone = note(
      `nginx ${version} sends only the add_header of the innermost block that has any: where ${users.join(' and ')} includes the snippet beside others, or in a block around them, some are not sent.`,
    )
    return [
      ...needsDirectory(snippet, reading),
      ...(users.length === 0 ? [unused] : atLeast(version, mergingNginx) ? [] : [alone]),
    ]
  }

  private get places() {
    return {
      map: `/etc/nginx/conf.d/preload-${this.id}.conf`,
      snippet: `/etc/nginx/snippets/preload-${this.id}.conf`,
    } as const
  }

  private saying(said: Partial<PreloadHeader>, problem?: string): this {
    const next = this.with<PreloadHeader>(said)
    const both = next.isAbsent && next.links.length > 0 ? 'it cannot be absent and link to something' : undefined
    const wrong = problem ?? both
    return next.wrong(wrong && `preloadHeader ${this.id}: ${wrong}`)
  }
}

/** Files of nginx's configuration that include another. */
export function includers(path: string): Resource<readonly string[]> {
  const name = path.replace('/etc/nginx/', '')
  return {
    key: `nginx-includers:${path}`,
    label: `what includes ${name}`,
    read: Probe.script(
      sh`cd /etc/nginx 2>/dev/null || exit 0; grep -lsF -e ${`include ${name}`} -e ${`include ${path}`} nginx.conf conf.d/*.conf sites-enabled/* || :`,
      ({ stdout }) =>
        stdout
          .toString()
          .split('\n')
          .filter((file) => file !== '')
          .map((file) => `/etc/nginx/${file}`),
    ),
    show: (files) => files.join(' ') || 'nothing',
    fresh: [],
  }
}

/** nginx reads its configuration in 4 KiB, and a word may not be longer. */
const longestWord = 4000

/** A header whose value is empty is not sent: so it is one for pages only. */
function mapText(name: string, links: readonly string[]): string {
  return `${written(name)}map "$status $sent_http_content_type" $${variable(name)} {
    default "";
    "~^200 text/html" '${links.join(', ')}';
}
`
}

function snippetText(name: string, nginx: string): string {
  const merge = atLeast(nginx, mergingNginx) ? 'add_header_inherit merge;\n' : ''
  return `${written(name)}${merge}add_header Link $${variable(name)};\n`
}

function variable(name: string): string {
  return `preload_${name.replaceAll('-', '_')}`
}

function written(name: string): string {
  return `# preloadHeader('${name}') of fleetplay writes this file.\n`
}

function textFile(text: string): FileState {
  return { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }
}
