/** What a PHP knows of settings, and what other files say of them. */

import type { Resource } from '../../dsl/resource.ts'
import { type Output, Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import type { PhpSapi } from './layout.ts'

/** A setting that somebody else's file says. */
export interface OtherSetting {
  readonly file: string
  readonly line: number
  readonly key: string
  /** As it stands in the file. */
  readonly value: string
  /** Whether a pool says it, for itself alone. */
  readonly pool: boolean
}

/** Names of the settings that a PHP and its extensions know; none where it is not installed, and on mock hosts. It can only be looked at. */
export function knownSettings(version: string, sapi: PhpSapi): Resource<readonly string[]> {
  const program = sapi === 'fpm' ? `php-fpm${version}` : `php${version}`
  return {
    key: `php-settings:${version}/${sapi}`,
    label: `settings of PHP ${version} (${sapi})`,
    // Loading all extensions takes a while.
    read: Probe.script(
      sh`PATH=$PATH:/usr/sbin
command -v ${program} >/dev/null || exit 0
${program} -i 2>/dev/null`,
      (output) => (output.stdout.length === 0 ? [] : namesIn(output, program)),
      { aside: true },
    ),
    show: (names) => `${names.length} settings`,
    fresh: [],
  }
}

/** What files of settings and pools say. It can only be looked at. */
export function otherSettings(version: string, sapi: PhpSapi): Resource<readonly OtherSetting[]> {
  const folder = `/etc/php/${version}/${sapi}`
  return {
    key: `php-ini:${version}/${sapi}`,
    label: `files of settings of PHP ${version} (${sapi})`,
    read: Probe.script(
      sh`cd ${folder} 2>/dev/null || exit 0
grep -HnE '^[[:space:]]*[A-Za-z_.]+[[:space:]]*=' conf.d/*.ini 2>/dev/null
grep -HnE '^[[:space:]]*php_(admin_)?(value|flag)\[' pool.d/*.conf 2>/dev/null
exit 0`,
      ({ stdout }) =>
        stdout
          .toString()
          .split('\n')
          .flatMap((text) => otherSetting(folder, text)),
    ),
    show: (all) => `${all.length} settings`,
    fresh: [],
  }
}

/** `memory_limit => 128M => 128M`: the value now, and the one of the master. */
function namesIn(output: Output, program: string): readonly string[] {
  const names = output.stdout
    .toString()
    .split('\n')
    .flatMap((line) => /^(?!Directive )([A-Za-z_][\w.-]*) => .* => /.exec(line)?.[1] ?? [])
  if (!names.includes('memory_limit')) throw unparsable(`${program} -i`, output)
  return names
}

/** `conf.d/20-a.ini:3:memory_limit = 1G`, `pool.d/www.conf:400:php_admin_value[memory_limit] = 1G`. */
function otherSetting(folder: string, text: string): readonly OtherSetting[] {
  const [, file, line, written, value] = /^([^:]+):(\d+):\s*([^=\s]+)\s*=\s*(.*)$/.exec(text) ?? []
  if (!written) return []
  const [, inPool] = /^php_(?:admin_)?(?:value|flag)\[(.+)\]$/.exec(written) ?? []
  return [
    {
      file: `${folder}/${file}`,
      line: Number(line),
      key: inPool ?? written,
      value: value!.trim(),
      pool: inPool !== undefined,
    },
  ]
}
