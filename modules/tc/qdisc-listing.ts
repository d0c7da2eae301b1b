/** The devices of a host and what `tc` lists of their qdiscs. */

import { Failure } from '../../errors/failure.ts'
import { type Output, tail } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'
import type { Row } from './discipline.ts'

/** The names of all devices, and a question mark. A device that was never up has no qdisc that tc lists. */
export const listDevices = sh`command -v tc >/dev/null || { echo 'tc: not found' >&2; exit 127; }
while read -r d _; do
  case $d in *:) printf '%s\n' "$d" ;; esac
done </proc/net/dev
echo '?'`

/** What is before the question mark, and what is after it. */
export function split(text: string): [head: string, json: string] {
  const at = text.startsWith('?\n') ? -1 : text.indexOf('\n?\n')
  return [text.slice(0, Math.max(at, 0)), text.slice(at + 3)]
}

export function deviceNames(head: string, rows: readonly Row[]): readonly string[] {
  const listed = head.split('\n').filter(Boolean)
  return [...new Set([...listed.map((name) => name.slice(0, -1)), ...rows.map(({ dev }) => dev)])]
}

export function parseRows<R extends Row>(json: string): readonly R[] | undefined {
  try {
    return JSON.parse(json) as R[]
  } catch {
    return undefined
  }
}

export function unreadable(output: Output): Failure {
  const seen = { command: 'tc -j qdisc show', status: output.status, output: tail(output.stderr) }
  if (output.status !== 127) return new Failure('E_UNREADABLE', 'The qdiscs of the host could not be read.', { seen })
  const hint = "Install it before: aptPackage('iproute2')."
  return new Failure('E_UNREADABLE', 'tc is not installed on this host.', { seen, hint })
}
