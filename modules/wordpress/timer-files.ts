/** The timer that runs a site's events, and its service. */

import { createHash } from 'node:crypto'
import type { Resource } from '../../dsl/resource.ts'
import type { FileState } from '../../probe/file.ts'
import { type Output, Probe, tail, unparsable } from '../../probe/probe.ts'
import { lines, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'

/** What the job of a folder is called: no dot, which would make cron ignore it in silence. */
export function jobName(folder: string): string {
  const isPlain = /^[A-Za-z0-9/._-]+$/.test(folder)
  const words = isPlain
    ? folder.slice(1).replace(/[/.]/g, '-')
    : createHash('sha256').update(folder).digest('hex').slice(0, 12)
  return `wp-cron-${words}`
}

/** A unit's file; systemd reads it at once, and a timer that runs is started anew, since it would keep its old times. */
export function unitFile(path: string): Resource<FileState> {
  const place = fileAt(path)
  const name = path.slice(path.lastIndexOf('/') + 1)
  return {
    ...place,
    write: (to, from) => {
      const change = place.write!(to, from)
      const steps = [
        sh`(
${change}
) || exit
systemctl daemon-reload || exit`,
      ]
      if (to.type === 'file' && from.type === 'file' && name.endsWith('.timer'))
        steps.push(sh`systemctl try-restart -- ${name}`)
      return lines(...steps)
        .called(`write ${path}`)
        .touches('unit:*', ...(change.touched ?? []))
    },
  }
}

/**
 * Whether the host's systemd understands a calendar expression, and it ever comes; `said` is what it says where not. It can only
 * be looked at.
 */
export function calendar(expression: string): Resource<{ readonly said: string | null }> {
  return {
    key: `calendar:${expression}`,
    read: Probe.script(sh`systemd-analyze calendar -- ${expression} 2>&1`, (output) => understood(output)),
    fresh: { said: null },
  }
}

function understood(output: Output): { readonly said: string | null } {
  if (output.status > 125) throw unparsable('a calendar expression', output)
  const text = output.stdout.toString()
  if (output.status !== 0) return { said: tail(text, 1) }
  const never = text.split('\n').find((line) => line.trim() === 'Next elapse: never')
  return { said: never?.trim() ?? null }
}

export function serviceText(folder: string, user: string, host: string | undefined): string {
  return [
    '# Managed by fleetplay: changes made here are overwritten.',
    '[Unit]',
    `Description=Scheduled events of WordPress in ${literal(folder)}`,
    '',
    '[Service]',
    'Type=oneshot',
    `User=${user}`,
    `WorkingDirectory=${literal(folder)}`,
    ...(host === undefined ? [] : [`Environment=HTTP_HOST=${host}`]),
    'ExecStart=php wp-cron.php',
    '',
  ].join('\n')
}

export function timerText(folder: string, expression: string): string {
  return [
    '# Managed by fleetplay: changes made here are overwritten.',
    '[Unit]',
    `Description=Scheduled events of WordPress in ${literal(folder)}`,
    '',
    '[Timer]',
    `OnCalendar=${expression}`,
    '',
    '[Install]',
    'WantedBy=timers.target',
    '',
  ].join('\n')
}

/** systemd reads `%` as the beginning of a specifier, and a backslash at the end as a line that goes on. */
function literal(folder: string): string {
  return folder.replaceAll('%', '%%').replace(/\\$/, '\\\\')
}
