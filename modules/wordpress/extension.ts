/** Themes and plugins of WordPress: their files from an archive, and that the site uses them. */

import { dirname, isAbsolute, join } from 'node:path'
import { pathProblem } from '../../dsl/host-path.ts'
import { Origin } from '../../dsl/origin.ts'
import { type Identity, look, type Resource, want, type Wish } from '../../dsl/resource.ts'
import { type Reading, refuse, Task, type Verdict } from '../../dsl/task.ts'
import { isProblem } from '../../dsl/variable.ts'
import { Failure } from '../../errors/failure.ts'
import { accountName } from '../accounts.ts'
import { directoryOf, needsDirectory } from '../file.ts'
import { codeFolder, digestOf, type FolderState } from './code-folder.ts'
import { type PackedPlugin, packedPlugin, type PackedTheme, packedTheme } from './packed-code.ts'
import { activePlugin, activeTheme, isNetwork, type Site } from './site.ts'

export interface WpSiteOptions {
  /** The user of the site, as whom its PHP is asked. @default 'www-data' */
  readonly user?: string
  /** The folder of themes and plugins; on Debian `/var/lib/wordpress/wp-content`. @default wp-content in the folder */
  readonly content?: string
  /** The host name of the site, where its configuration asks for it: Debian's own wp-config.php. */
  readonly host?: string
  /** Whether the site uses it. Without, only the files are there. @default true */
  readonly activate?: boolean
}

/** A theme or plugin of which neither archive nor site are said yet. */
export interface WpExtensionStart<T extends Task> {
  /** The local zip archive; its path is relative to the file that says it. A missing one is told before any connection. */
  from(zip: string): WpExtensionPacked<T>
}

/** A theme or plugin of which the site is not said yet. */
export interface WpExtensionPacked<T extends Task> {
  /** The folder of the site on the host: that of `wp-load.php`. */
  in(folder: string, options?: WpSiteOptions): T
}

/**
 * A theme of WordPress: its files are exactly those of the archive, and the site uses it. The folder is replaced as a whole
 * by a rename; the one before is kept beside it, closed, as `.NAME.was.DIGEST`, and the theme before is known, so that both
 * come back when the change is turned round. A file that somebody changed on the host is a difference, and comes back too.
 * The files belong to who writes them, `0644` in folders `0755`, so that the site cannot change them itself.
 *
 * The theme is activated by WordPress's own PHP as the user of the site. Where WordPress does not load with it, the theme
 * before is activated again, and the task has failed.
 *
 * Told before any connection: an archive that is damaged, encrypted, of more than 64 MiB unpacked, or without a theme; names
 * in it that are absolute or lead out of it, and symbolic links. Refused in the plan: a site that does not answer or is not
 * installed, a network of sites, a folder of themes that does not exist, and a link in the place of the theme.
 *
 * @example
 * wpTheme('eistruttore').from('./files/eistruttore.zip').in('/srv/www')
 * wpTheme('eistruttore').from('./files/eistruttore.zip').in('/usr/share/wordpress', { content: '/var/lib/wordpress/wp-content' })
 * @see https://developer.wordpress.org/reference/functions/switch_theme/
 */
export function wpTheme(name: string): WpExtensionStart<WpTheme> {
  return new WpTheme(name)
}

/**
 * A plugin of WordPress: its files are exactly those of the archive, and it is active. Everything else is as with `wpTheme()`;
 * a plugin whose activation fails stays inactive, in the words of WordPress.
 *
 * @example
 * wpPlugin('coaching-calendar').from('./files/coaching-calendar.zip').in('/srv/www')
 * @see https://developer.wordpress.org/reference/functions/activate_plugin/
 */
export function wpPlugin(name: string): WpExtensionStart<WpPlugin> {
  return new WpPlugin(name)
}

abstract class WpExtension<Packed extends PackedTheme | PackedPlugin> extends Task {
  readonly id: string
  readonly zip: string | undefined
  readonly site: Site | undefined
  readonly content: string | undefined
  readonly activate: boolean = true
  /** Nothing until the archive is read, which is before any connection. */
  readonly packed: Packed

  protected abstract readonly subfolder: 'themes' | 'plugins'
  protected abstract unpack(bytes: Uint8Array): Packed
  protected abstract activation(site: Site, packed: Packed): Wish

  constructor(name: string, packed: Packed) {
    super()
    this.id = name
    this.zip = undefined
    this.site = undefined
    this.content = undefined
    this.packed = packed
  }

  from(zip: string): this {
    const here = Origin.here().place?.file
    return this.with<WpExtension<Packed>>({ zip: isAbsolute(zip) || !here ? zip : join(dirname(here), zip) })
  }

  in(
    folder: string,
    { user = 'www-data', content = `${folder}/wp-content`, host, activate = true }: WpSiteOptions = {},
  ): this {
    const parsed = accountName(user)
    const bad =
      host === undefined || /^[a-z0-9.-]+(?::\d+)?$/i.test(host)
        ? undefined
        : `${JSON.stringify(host)} is not the name of a host`
    const problem =
      pathProblem(folder) ?? pathProblem(content) ?? bad ?? (isProblem(parsed) ? parsed.problem : undefined)
    return this.with<WpExtension<Packed>>({ site: { folder, user, host }, content, activate }).wrong(
      problem && `${this.title}: ${problem}`,
    )
  }

  override get localFiles() {
    return this.zip === undefined ? [] : [this.zip]
  }

  override supplied(contents: ReadonlyMap<string, Uint8Array>): this {
    const bytes = contents.get(this.zip!)
    if (!bytes) return this
    try {
      return this.with<WpExtension<Packed>>({ packed: this.unpack(bytes) } as Partial<WpExtension<Packed>>)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return this.wrong(`${this.title}: the archive ${this.zip}: ${error.message}`, error.hint)
    }
  }

  override get unfinished() {
    return this.zip !== undefined && this.site
      ? undefined
      : `${this.title} lacks ${this.zip === undefined ? '.from(zip)' : '.in(folder)'}`
  }

  get wishes(): readonly Wish[] {
    const { site, packed } = this
    if (!site) return []
    const files = want(this.folder, (now, as) => this.asWished(packed, now, as), { whole: digestOf(packed.files) })
    return [
      look(directoryOf(this.path)),
      look(isNetwork(site)),
      files,
      ...(this.activate ? [this.activation(site, packed)] : []),
    ]
  }

  override judge(reading: Reading): readonly Verdict[] {
    const network = this.activate && reading.now(isNetwork(this.site!))
    const hint = 'Let { activate: false } bring the files, and enable it for the sites by hand.'
    return [
      ...needsDirectory(this.path, reading),
      ...(network
        ? [refuse(`${this.site!.folder} is a network of sites, each of which has a choice of its own.`, hint)]
        : []),
    ]
  }

  protected get folder(): Resource<FolderState> {
    return codeFolder(this.path, this.packed.files)
  }

  protected get path(): string {
    return `${this.content}/${this.subfolder}/${this.id}`
  }

  private get title(): string {
    return `${this.module} ${this.id}`
  }

  private asWished({ files }: Packed, now: FolderState, { user, group }: Identity): FolderState {
    const owned = now.type === 'folder' ? { owner: now.owner, group: now.group } : { owner: user, group }
    return { type: 'folder', digest: digestOf(files), files: files.length, mode: '0755', ...owned }
  }
}

export class WpTheme extends WpExtension<PackedTheme> implements WpExtensionStart<WpTheme>, WpExtensionPacked<WpTheme> {
  readonly module = 'wpTheme'
  protected readonly subfolder = 'themes'

  /** @internal Made by `wpTheme()`. */
  constructor(name: string) {
    super(name, { files: [], parent: undefined })
    const problem = nameProblem(name)
    if (problem) return this.wrong(`wpTheme: ${problem}`)
  }

  protected unpack(bytes: Uint8Array): PackedTheme {
    return packedTheme(bytes)
  }

  protected activation(site: Site, { parent }: PackedTheme): Wish {
    return want(activeTheme(site), { stylesheet: this.id, template: parent ?? this.id })
  }
}

export class WpPlugin
  extends WpExtension<PackedPlugin>
  implements WpExtensionStart<WpPlugin>, WpExtensionPacked<WpPlugin>
{
  readonly module = 'wpPlugin'
  protected readonly subfolder = 'plugins'

  /** @internal Made by `wpPlugin()`. */
  constructor(name: string) {
    super(name, { files: [], main: `${name}.php` })
    const problem = nameProblem(name)
    if (problem) return this.wrong(`wpPlugin: ${problem}`)
  }

  protected unpack(bytes: Uint8Array): PackedPlugin {
    return packedPlugin(bytes)
  }

  protected activation(site: Site, { main }: PackedPlugin): Wish {
    return want(activePlugin(site, `${this.id}/${main}`), 'active')
  }
}

function nameProblem(name: string): string | undefined {
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(name)) return undefined
  return `${JSON.stringify(name)} is not the name of a folder: letters, digits and ._- make one`
}
