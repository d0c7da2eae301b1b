import { command, sh } from '../../../index.ts'
import type { Example } from '../../../testing/example.ts'

export const commandExamples: readonly Example[] = [
  {
    name: 'command, by what it creates',
    task: (root) => command("it's; exit", sh`: >${`${root}/made`}`).creates(`${root}/made`),
    proved: 'folder',
  },
  {
    name: 'command, unless it is done',
    task: (root) => command('log', sh`cat >log`.reading('x\n')).in(root).touching().unless(sh`[ -s log ]`),
    proved: 'folder',
  },
  {
    name: 'command, while it is due',
    task: (root) => command('clear', sh`rm ${`${root}/stale`}`).onlyIf(sh`[ -e ${`${root}/stale`} ]`),
    before: (root) => sh`: >${`${root}/stale`}`,
    proved: 'folder',
  },
]
