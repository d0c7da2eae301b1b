import { directory, sh } from '../../../index.ts'
import { contentsOf } from '../../../modules/directory.ts'
import { directoryAt, fileAt } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

const folder = { type: 'directory', mode: '0755', owner: 'root', group: 'root' } as const

export const directoryExamples: readonly Example[] = [
  {
    name: 'directory, new, with those above',
    task: (root) => directory(`${root}/a/it's b/c`).mode('02750'),
    values: (root) => [
      [directoryAt(`${root}/a`), { type: 'absent' }],
      [directoryAt(`${root}/a/it's b`), { type: 'absent' }],
    ],
    proved: 'folder',
  },
  {
    name: 'directory, other mode',
    task: (root) => directory(`${root}/a`).mode('0700'),
    values: (root) => [[fileAt(`${root}/a`), { ...folder, mode: '2755' }]],
    before: (root) => sh`mkdir ${`${root}/a`}; chmod 02755 ${`${root}/a`}`,
    proved: 'folder',
  },
  {
    name: 'directory, other owner',
    task: (root) => directory(`${root}/a`).owner('nobody', 'nogroup'),
    values: (root) => [[fileAt(`${root}/a`), folder]],
    before: (root) => sh`mkdir ${`${root}/a`}`,
    proved: 'lab',
  },
  {
    name: 'directory, absent',
    task: (root) => directory(`${root}/a`).absent(),
    values: (root) => [[fileAt(`${root}/a`), folder]],
    before: (root) => sh`mkdir ${`${root}/a`}`,
    proved: 'folder',
  },
  {
    name: 'directory, absent with what is in it',
    task: (root) => directory(`${root}/a`).absent({ recursive: true }),
    values: (root) => [
      [fileAt(`${root}/a`), folder],
      [contentsOf(`${root}/a`), { count: 1, names: ['x'], mounts: [] }],
    ],
    before: (root) => sh`mkdir ${`${root}/a`}; : >${`${root}/a/x`}`,
    proved: 'folder',
  },
]
