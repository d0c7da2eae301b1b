/** What a plan says of an index that is to be invisible or retired: refusals, and when its next stage is possible. */

import { note, type Reading, refuse, standingNote, type Verdict } from '../../dsl/task.ts'
import { nearest } from '../../errors/suggest.ts'
import { type DatabaseServer, databaseServer, missingWords } from './ask.ts'
import { indexLife, type IndexWatch, indexWatch, type Retirement } from './index-life.ts'
import { here, recordPath } from './index-record.ts'
import { type IndexName, type IndexState, tableIndex } from './table-index.ts'

/** Verdicts on `.visible()` and `.invisible()`. */
export function judgeVisibility(
  name: IndexName,
  defaultsFile: string | undefined,
  visible: boolean,
  { now, changes }: Reading,
): readonly Verdict[] {
  const place = tableIndex(name, defaultsFile)
  const is = now(place)
  if (is.type === 'missing') return [refuse(...missingWords(is, name, name.index))]
  const refusal = cannot(name, is, now(databaseServer(defaultsFile)), visible)
  if (refusal) return [refusal]
  if (visible || !changes(place)) return []
  return [
    note(hints),
    ...(is.server === 'mysql' ? [note("One session tries it by optimizer_switch = 'use_invisible_indexes=on'.")] : []),
    ...(is.unique ? [note(`${name.index} is unique: invisible, it still refuses what is there twice (1062).`)] : []),
  ]
}

/** Verdicts on `.retire()`. */
export function judgeRetirement(retirement: Retirement, { now, changes }: Reading): readonly Verdict[] {
  const { index, defaultsFile } = retirement
  const is = now(tableIndex(retirement, defaultsFile))
  const place = indexLife(retirement)
  const [life, watch] = [now(place), now(indexWatch(retirement))]
  if (life.type === 'missing') return [refuse(...missingWords(life, retirement, index))]
  if (is.type === 'missing' || life.index === 'absent') {
    const near = nearest(index, watch.names)
    const meant = near === undefined ? '' : ` Did you mean ${near}?`
    return life.stage === null
      ? [standingNote(`There is no index ${index}, and nothing is kept of it here.${meant}`)]
      : []
  }
  const server = now(databaseServer(defaultsFile))
  const refusal = cannot(retirement, is, server, false) ?? mustStay(retirement, is, watch)
  if (refusal) return [refusal]
  if (life.definition === null)
    return [refuse(`SHOW CREATE TABLE does not tell what ${index} is made of, so that it could not be made again.`)]
  if (life.index === 'invisible') return invisible(retirement, watch, life.stage, changes(place), life.definition)
  return visible(retirement, watch, life.due?.stage === 'invisible')
}

const hints = 'Statements that name the index in FORCE INDEX or USE INDEX fail as long as it is invisible (1176).'

/** What servers refuse, in the plan already: 3522 and 4174 for a primary key. */
function cannot(
  { index }: IndexName,
  { primary, visible: isVisible }: IndexState & { type: 'index' },
  { server, version, readOnly }: DatabaseServer,
  visible: boolean,
): Verdict | undefined {
  if (primary && !visible)
    return refuse(`${index} is the primary key of its table, or taken for it, and cannot be made invisible.`)
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  if (server === 'mysql' && a < 8) return refuse(`MySQL ${version} has no invisible indexes; 8.0 has.`)
  if (server === 'mariadb' && (a < 10 || (a === 10 && b < 6)))
    return refuse(`MariaDB ${version} cannot ignore an index; 10.6 can.`)
  if (readOnly && isVisible !== visible)
    return refuse(
      `The database server (${version}) is read-only.`,
      'A replica gets its indexes from the server that it follows.',
    )
  return undefined
}

/** What must not be dropped, or of which nobody would ever know. */
function mustStay(
  { index }: Retirement,
  { unique, visible: isVisible }: IndexState & { type: 'index' },
  { neededBy, uses }: IndexWatch,
): Verdict | undefined {
  if (unique) {
    return refuse(
      `${index} is unique: it holds up a constraint, even if no query reads it.`,
      'Drop it by a migration of the schema, where the constraint is not wanted.',
    )
  }
  if (neededBy.length > 0)
    return refuse(`${index} is needed by the foreign key ${neededBy.join(' and ')} (the server says 1553).`)
  const off = uses.find(({ use }) => use.state === 'unknown' && use.off)
  if (!isVisible || off?.use.state !== 'unknown') return undefined
  const where = off.server === here ? 'The database server' : off.server
  return refuse(
    `${where} does not count what indexes are used for: ${off.use.why}. That nothing was counted does not mean that it is unused.`,
    /userstat/.test(off.use.why)
      ? 'Set userstat = 1 in its configuration, and now by SET GLOBAL userstat = 1.'
      : 'Enable it in its configuration, and restart it.',
  )
}

function visible(retirement: Retirement, { uses, followers }: IndexWatch, isDue: boolean): readonly Verdict[] {
  const { unusedFor, grace, on } = retirement
  if (isDue) {
    const next = `Unused for ${span(unusedFor)} on every server. Dropped after ${span(grace)} of being invisible, at the earliest.`
    return [note(next), note(hints)]
  }
  return [
    ...uses.flatMap(({ server, use }) => {
      const where = server === here ? '' : ` on ${server}`
      switch (use.state) {
        case 'new':
          return [note(`Its use${where} is watched from now on; unused for ${span(unusedFor)}, it becomes invisible.`)]
        case 'used':
          return [standingNote(`Visible and in use${where}: ${times(use.reads)} in ${span(use.seconds)}. It stays.`)]
        case 'unknown':
          return [
            standingNote(`Not known whether it is used${where}: ${use.why}. Nothing is moved before that is known.`),
          ]
        case 'unused': {
          const since = use.restarted ? ', since the server started' : ''
          const left = unusedFor - use.seconds
          const next = left > 0 ? ` Invisible in ${span(left, Math.ceil)} at the earliest.` : ''
          return [
            standingNote(`Visible and unused${where} for ${span(use.seconds)} of ${span(unusedFor)}${since}.${next}`),
          ]
        }
      }
    }),
    ...(uses.some(({ source }) => source === 'userstat')
      ? [standingNote('userstat counts the rows that were read: a query for which the index finds none is not seen.')]
      : []),
    ...(followers > on.length
      ? [
          standingNote(
            `${followers} ${followers === 1 ? 'server follows' : 'servers follow'} this one, and \`on\` names ${on.length}: a use that it does not name is not seen.`,
          ),
        ]
      : []),
  ]
}

function invisible(
  retirement: Retirement,
  { invisibleFor }: IndexWatch,
  stage: string | null,
  moves: boolean,
  definition: string,
): readonly Verdict[] {
  const { grace } = retirement
  if (stage !== 'invisible') {
    return [
      note(`It is invisible already, since when is not known here: its ${span(grace)} of grace begin now.`),
      note(
        'That it was unused before is not proved: counters say nothing of an invisible index. Its grace alone protects.',
      ),
    ]
  }
  if (moves) return [note(`It was ${definition}. That is kept in ${recordPath(retirement)}, and undo makes it again.`)]
  return [
    standingNote(
      `Invisible for ${span(invisibleFor)} of ${span(grace)}. Dropped in ${span(grace - invisibleFor, Math.ceil)} at the earliest.`,
    ),
  ]
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** Whole hours, or minutes below one, or days from four on. What is left is rounded up, so that nobody comes too early. */
export function span(seconds: number, round: (count: number) => number = Math.floor): string {
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`
  if (seconds < 4 * 86_400) return `${round(seconds / 3600)} h`
  return `${round(seconds / 86_400)} d`
}
