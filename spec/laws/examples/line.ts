import { line, sh } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

const content = '# head\r\n#A=1\r\nA=2'

/** A file of another, with carriage returns and no end of its last line. */
const there: Pick<Example, 'values' | 'before' | 'proved'> = {
  values: (root) => {
    const state = { type: 'file', content: { text: content }, mode: '0644', owner: 'root', group: 'root' }
    return [[fileAt(`${root}/conf`), state]]
  },
  before: (root) => sh`cat >${`${root}/conf`}`.reading(content),
  proved: 'folder',
}

export const lineExamples: readonly Example[] = [
  { name: 'line, new', task: (root) => line(`${root}/conf`).present("it's $x; \\ ü"), ...there },
  {
    name: 'line, in the place of others',
    task: (root) => line(`${root}/conf`).present('A=3', { matching: /^#?A=/ }),
    ...there,
  },
  { name: 'line, at a place', task: (root) => line(`${root}/conf`).present('B=1', { before: 'A=2' }), ...there },
  { name: 'line, absent', task: (root) => line(`${root}/conf`).absent(/^A=/), ...there },
  {
    name: 'line, of a new file',
    task: (root) => line(`${root}/new`).present('A=1', { create: true }),
    proved: 'folder',
  },
]
