/** `play list`: plays with their hosts and tasks, hosts with their groups; `play list PLAY`: its tasks. */

import { select } from '../dsl/pattern.ts'
import { typicalFacts } from '../dsl/play.ts'
import { compile } from '../engine/compile.ts'
import { Failure, Mistakes } from '../errors/failure.ts'
import { count, pad, told, width } from '../report/layout.ts'
import { paint } from '../report/paint.ts'
import { withoutSecrets } from '../shell/secret-text.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import { loadPlay, namesIn, playsOf } from './load.ts'
import type { InventoryOptions } from './options.ts'
import { type Prepared, type PreparedInventory, prepare, prepareInventory } from './prepare.ts'
import { out, pageOptions } from './terminal.ts'

const everything = { tags: [], skipTags: [] }

/** @throws Mistakes where something cannot be loaded; what can be is told before */
export async function list(name: string | undefined, options: InventoryOptions): Promise<ExitStatus> {
  if (name !== undefined) {
    listTasks(await prepare(name, { ...options, ...everything }))
    return exitStatus.fine
  }
  const { strong, faint } = paint(pageOptions().color)
  const problems: Failure[] = []
  const inventory = await collecting(problems, () => prepareInventory(options))
  const names = namesIn('plays')
  out(`${strong('plays')}\n`)
  if (names.length === 0) out(`  ${faint('none: there is no plays/NAME.ts here')}\n`)
  const longest = Math.max(0, ...names.map(width))
  for (const play of names) {
    const told = inventory
      ? await collecting(problems, async () => sizes(await prepare(play, { ...options, ...everything })))
      : await collecting(problems, async () => count(playsOf((await loadPlay(play)).plays).length, 'play'))
    out(`  ${pad(play, longest)}  ${told ?? faint('cannot be loaded')}\n`)
  }
  if (inventory) listHosts(inventory)
  if (problems.length > 0) throw new Mistakes(problems)
  return exitStatus.fine
}

function sizes({ aimed, tasks }: Prepared): string {
  return `${count(aimed.length, 'host').padEnd(9)}  ${count(tasks, 'task')}`
}

function listHosts({ path, hosts, inventory }: PreparedInventory): void {
  const { strong, faint } = paint(pageOptions().color)
  out(`\n${strong('hosts')}  ${faint(path)}\n`)
  const longest = Math.max(...hosts.map(({ name }) => width(name)))
  for (const { name, address, groups, carrier } of hosts) {
    const how =
      typeof carrier === 'string'
        ? carrier === 'ssh'
          ? address
          : carrier
        : 'exec' in carrier
          ? carrier.exec.join(' ')
          : 'simulated'
    out(`  ${pad(name, longest)}  ${pad(groups.join(' '), 20)}  ${faint(how === name ? '' : how)}`.trimEnd())
    out('\n')
  }
  const empty = Object.keys(inventory.shape.groups).filter(
    (group) => !hosts.some(({ groups }) => groups.includes(group)),
  )
  if (empty.length > 0) out(`  ${faint(`groups without hosts: ${empty.join(' ')}`)}\n`)
}

function listTasks({ play, inventory }: Prepared): void {
  const { color, folder } = pageOptions()
  const { strong, faint } = paint(color)
  const groups = Object.keys(inventory.inventory.shape.groups)
  for (const [i, each] of playsOf(play.plays).entries()) {
    const { hosts } = select(each.pattern, inventory.hosts, groups)
    const tasks = hosts[0] ? compile(each, hosts[0], inventory.hosts, typicalFacts, everything).tasks : []
    out(
      `${i > 0 ? '\n' : ''}${strong(each.name)}${faint(` · ${each.pattern} · ${count(hosts.length, 'host')} · ${count(tasks.length, 'task')}`)}\n`,
    )
    const titles = tasks.map(({ info }) => withoutSecrets(info.title))
    const longest = Math.max(0, ...titles.map(width))
    for (const [at, { info, task }] of tasks.entries()) {
      const { tags } = task.keywords
      const place = info.place ? told(info.place, folder) : ''
      out(`  ${pad(titles[at]!, longest)}  ${faint(place)}${tags.length > 0 ? `  tags: ${tags.join(', ')}` : ''}\n`)
    }
  }
}

/** Goes on without what cannot be loaded, and keeps why. */
async function collecting<T>(problems: Failure[], make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make()
  } catch (error) {
    if (error instanceof Mistakes) problems.push(...error.failures)
    else if (error instanceof Failure) problems.push(error)
    else throw error
    return undefined
  }
}
