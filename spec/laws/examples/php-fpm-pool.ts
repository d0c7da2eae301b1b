import { phpFpmPool } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const pool = '[law]\n; of ours\nuser = www-data\nlisten = /run/php/law.sock\npm = ondemand\npm.max_children = 2\n'
const there = { type: 'file', content: { text: pool }, mode: '0644', owner: 'root', group: 'root' } as const

/** The same on both images, each with its own version. */
export const phpFpmPoolExamples: readonly Example[] = (
  [
    ['8.2', 'bookworm'],
    ['8.4', 'sid'],
  ] as const
).flatMap(([version, image]): readonly Example[] => {
  const path = `/etc/php/${version}/fpm/pool.d/law.conf`
  const none = sh`rm -f -- ${path}`
  const drifted = sh`printf '%s' ${pool} >${path}`
  const where = { proved: 'lab', images: [image] } as const
  return [
    {
      name: `phpFpmPool ${version}, new`,
      task: () =>
        phpFpmPool(version, 'law').set({
          user: 'www-data',
          listen: '/run/php/law.sock',
          pm: 'ondemand',
          'pm.max_children': 4,
          'env[LAW]': `it's "quoted"; and \\ so on`,
        }),
      before: () => none,
      ...where,
    },
    {
      name: `phpFpmPool ${version}, drifted`,
      task: () => phpFpmPool(version, 'law').set({ 'pm.max_children': 4, 'php_admin_flag[log_errors]': true }),
      values: () => [[fileAt(path), there]],
      before: () => drifted,
      ...where,
    },
    {
      name: `phpFpmPool ${version}, absent`,
      task: () => phpFpmPool(version, 'law').absent(),
      values: () => [[fileAt(path), there]],
      before: () => drifted,
      ...where,
    },
  ]
})
