import { file, sh } from '../../../index.ts'
import { fileAt, tellContent } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

const owned = { mode: '0644', owner: 'root', group: 'root' } as const
const text = (content: string) => ({ type: 'file', content: { text: content }, ...owned }) as const

export const fileExamples: readonly Example[] = [
  {
    name: 'file, new',
    task: (root) => file(`${root}/motd`).content('Welcome.\n').mode('0640'),
    proved: 'folder',
  },
  {
    name: 'file, an odd name and odd bytes',
    task: (root) => file(`${root}/it's; rm -rf \\ $x\n`).content(Uint8Array.of(0, 255, 10, 13)),
    proved: 'folder',
  },
  {
    name: 'file, other content and mode',
    task: (root) => file(`${root}/motd`).content('Welcome.\n').mode('0600'),
    values: (root) => [[fileAt(`${root}/motd`), text('Go away.')]],
    before: (root) => sh`printf 'Go away.' >${`${root}/motd`}; chmod 0644 ${`${root}/motd`}`,
    proved: 'folder',
  },
  {
    name: 'file, other mode',
    task: (root) => file(`${root}/motd`).mode('0600'),
    values: (root) => [[fileAt(`${root}/motd`), text('x')]],
    before: (root) => sh`printf x >${`${root}/motd`}; chmod 0644 ${`${root}/motd`}`,
    proved: 'folder',
  },
  {
    name: 'file, in the place of a link',
    task: (root) => file(`${root}/motd`).content('Welcome.\n'),
    values: (root) => [[fileAt(`${root}/motd`), { type: 'link', target: '/nowhere' }]],
    before: (root) => sh`ln -s /nowhere ${`${root}/motd`}`,
    proved: 'folder',
  },
  {
    name: 'file, other owner',
    task: (root) => file(`${root}/motd`).content('x').owner('nobody', 'nogroup').mode('0640'),
    values: (root) => [[fileAt(`${root}/motd`), text('x')]],
    before: (root) => sh`printf x >${`${root}/motd`}`,
    proved: 'lab',
  },
  {
    name: 'file, large in the place of large',
    task: (root) => file(`${root}/large`).content('b'.repeat(300_000)),
    values: (root) => [
      [fileAt(`${root}/large`), { type: 'file', content: tellContent(Buffer.alloc(300_000, 'a')), ...owned }],
    ],
    before: (root) => sh`head -c 300000 /dev/zero | tr '\0' a >${`${root}/large`}`,
    proved: 'folder',
  },
  {
    name: 'file, absent',
    task: (root) => file(`${root}/motd`).absent(),
    values: (root) => [[fileAt(`${root}/motd`), text('x')]],
    before: (root) => sh`printf x >${`${root}/motd`}`,
    proved: 'folder',
  },
]
