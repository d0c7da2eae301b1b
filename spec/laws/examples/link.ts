import { link, sh } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

export const linkExamples: readonly Example[] = [
  {
    name: 'link, new',
    task: (root) => link(`${root}/it's new`).to('$nowhere; exit'),
    proved: 'folder',
  },
  {
    name: 'link, to a directory elsewhere',
    task: (root) => link(`${root}/current`).to('/usr'),
    values: (root) => [[fileAt(`${root}/current`), { type: 'link', target: '/etc' }]],
    before: (root) => sh`ln -s /etc ${`${root}/current`}`,
    proved: 'folder',
  },
  {
    name: 'link, absent',
    task: (root) => link(`${root}/current`).absent(),
    values: (root) => [[fileAt(`${root}/current`), { type: 'link', target: '/etc' }]],
    before: (root) => sh`ln -s /etc ${`${root}/current`}`,
    proved: 'folder',
  },
]
