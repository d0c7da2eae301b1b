/** The journal of a run, read as the JSON that it is, against what is on the host. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { accountFiles, type Tree } from './ground.ts'

interface Line {
  readonly type: string
  readonly play: string
  readonly moves?: readonly { readonly id: number; readonly key: string; readonly from: Value; readonly to: Value }[]
  readonly ends?: Readonly<Record<string, string>>
}

/** Of a file; other places, and what is sealed, are not compared. */
interface Value {
  readonly value?: {
    readonly type?: string
    readonly mode?: string
    readonly owner?: string
    readonly group?: string
    readonly content?: { readonly text?: string }
  }
}

/** The run that was begun last, in a folder that runs were started in. */
export function lastRun(folder: string): string | undefined {
  return readdirSync(join(folder, '.play/runs'), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    .toSorted()
    .at(-1)
}

/**
 * Where the journal and the host disagree: what it calls done is not as it says, or what it does not name was begun.
 * `moved` are paths that have changed on the host. A file's content is on the disk before its name is; names follow when the
 * file system commits, every few seconds: what was done then may be as before after a power cut, and is never a part.
 */
export function disagreements(
  folder: string,
  id: string,
  now: Tree,
  moved: readonly string[],
  isPowerCut: boolean,
): readonly string[] {
  const text = readFileSync(join(folder, '.play/runs', id, 'journal.jsonl'), 'utf8')
  const lines = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
  const last = new Map<string, { readonly from: Value; readonly to: Value; readonly end: string }>()
  for (const { play, moves = [] } of lines) {
    for (const { id: number, key, from, to } of moves) {
      const ends = lines.flatMap((line) => (line.play === play && line.ends?.[number] ? [line.ends[number]] : []))
      if (key.startsWith('file:')) last.set(key.slice(5), { from, to, end: ends.at(-1) ?? 'open' })
    }
  }
  const wrong = [...last].flatMap(([path, { from, to, end }]) => {
    const told = { done: to, proved: to, 'not run': from, 'put back': from }[end]
    const said = told && lineOf(told)
    const is = now.get(path) ?? ''
    return said !== undefined && said !== is && !(isPowerCut && is === lineOf(from))
      ? [`${path} is ${end} in the journal: ${said}; yet it is ${now.get(path)}`]
      : []
  })
  const keys = lines.flatMap(({ moves = [] }) => moves.map(({ key }) => key))
  const isKnown = (path: string) =>
    keys.some(
      (key) =>
        key === `file:${path}` ||
        (key.startsWith('folder:') && path.startsWith(`${key.slice(7)}/`)) ||
        (/^(user|group):/.test(key) && accountFiles.test(path)),
    )
  const unknown = moved.filter((path) => !isKnown(path))
  return [...wrong, ...unknown.map((path) => `${path} has changed, and the journal does not know of it`)]
}

/** As the trees say it; empty for what is absent. */
function lineOf({ value }: Value): string | undefined {
  if (value?.type === 'absent') return ''
  if (value?.type !== 'file' || value.content?.text === undefined) return undefined
  const digest = createHash('sha256').update(value.content.text).digest('hex').slice(0, 16)
  return `f ${value.mode!.replace(/^0/, '')} ${value.owner}:${value.group} ${digest}`
}
