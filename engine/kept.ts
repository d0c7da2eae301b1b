/** Secret values that a task replaces: kept on their host, which had them before, so that they can be put back. */

import { createHash } from 'node:crypto'
import type { Resource } from '../dsl/resource.ts'
import { forgetKept, keptFolder, makeKeptFolder } from '../probe/kept-folder.ts'
import { Probe } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'
import type { Step } from './host.ts'

/** A value that is kept; null where it is not, or no longer. */
export type Kept = { readonly value: unknown } | null

/** The move whose first value is kept. */
export interface KeptOf {
  readonly run: string
  readonly play: string
  readonly move: number
}

/** The value that a place had before a move. */
export function keptPlace(of: KeptOf): Resource<Kept> {
  const name = nameOf(of)
  const read = sh`${keptFolder}
[ ! -e "$kept"/${name} ] || cat -- "$kept"/${name}`
  return {
    key: `kept:${name}`,
    label: 'what was kept for undo',
    read: Probe.script(read, ({ stdout }) => (stdout.length > 0 ? (JSON.parse(stdout.toString()) as Kept) : null)),
    sensitive: true,
    fresh: null,
  }
}

/** The step that keeps a value, before the place is moved. */
export function keeping(of: KeptOf, value: unknown): Step {
  const resource = keptPlace(of)
  const name = nameOf(of)
  const script = sh`umask 077
${makeKeptFolder}
cd -- "$kept" && dd bs=65536 conv=fsync status=none of=${`.${name}`} && mv -f -- ${`.${name}`} ${name} || exit
${forgetKept}`
    .reading(JSON.stringify({ value } satisfies Kept))
    .touches()
    .called('keep what was there for undo')
  // It travels with the write that it is for, and has its time.
  return { resource, from: null, to: { value }, script, deadline: 0, keeps: true }
}

function nameOf({ run, play, move }: KeptOf): string {
  return createHash('sha256')
    .update(JSON.stringify([run, play, move]))
    .digest('hex')
    .slice(0, 24)
}
