import { block, sh } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

const content = 'a\n# BEGIN fleetplay old\nx\n# END fleetplay old\nb'

const there: Pick<Example, 'values' | 'before' | 'proved'> = {
  values: (root) => {
    const state = { type: 'file', content: { text: content }, mode: '0644', owner: 'root', group: 'root' }
    return [[fileAt(`${root}/conf`), state]]
  },
  before: (root) => sh`printf %s ${content} >${`${root}/conf`}`,
  proved: 'folder',
}

export const blockExamples: readonly Example[] = [
  {
    name: 'block, new',
    task: (root) => block(`${root}/conf`, 'new').content("it's\n$x; \\\n", { after: 'a' }),
    ...there,
  },
  { name: 'block, other content', task: (root) => block(`${root}/conf`, 'old').comment(';').content('y\nz'), ...there },
  { name: 'block, absent', task: (root) => block(`${root}/conf`, 'old').absent(), ...there },
  {
    name: 'block, of a new file',
    task: (root) => block(`${root}/new`, 'new').content('x', { create: true }),
    proved: 'folder',
  },
]
