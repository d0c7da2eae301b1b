import { phpIni } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const settings = { memory_limit: '192M', display_errors: false } as const
const other = {
  type: 'file',
  content: { text: 'memory_limit = 64M\n' },
  mode: '0644',
  owner: 'root',
  group: 'root',
} as const

/** The same on both images, each with its own version. */
export const phpIniExamples: readonly Example[] = (
  [
    ['8.2', 'bookworm'],
    ['8.4', 'sid'],
  ] as const
).flatMap(([version, image]): readonly Example[] => {
  const path = `/etc/php/${version}/fpm/conf.d/99-law.ini`
  const none = sh`rm -f -- ${path}`
  const there = sh`printf 'memory_limit = 64M\n' >${path}`
  const where = { proved: 'lab', images: [image] } as const
  return [
    { name: `phpIni ${version}, new`, task: () => phpIni(version, 'law').set(settings), before: () => none, ...where },
    {
      name: `phpIni ${version}, drifted`,
      task: () => phpIni(version, 'law').set(settings),
      values: () => [[fileAt(path), other]],
      before: () => there,
      ...where,
    },
    {
      name: `phpIni ${version}, absent`,
      task: () => phpIni(version, 'law').absent(),
      values: () => [[fileAt(path), other]],
      before: () => there,
      ...where,
    },
  ]
})
