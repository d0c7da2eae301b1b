import { phpSession } from '../../../modules/php/session.ts'
import { fileAt } from '../../../modules/file.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const files = {
  type: 'file',
  content: { text: 'session.save_handler = files\n' },
  mode: '0644',
  owner: 'root',
  group: 'root',
} as const

/** The same on both images, each with its own version. */
export const phpSessionExamples: readonly Example[] = (
  [
    ['8.2', 'bookworm'],
    ['8.4', 'sid'],
  ] as const
).flatMap(([version, image]): readonly Example[] => {
  const path = `/etc/php/${version}/fpm/conf.d/99-session.ini`
  const none = sh`rm -f -- ${path}`
  const there = sh`printf 'session.save_handler = files\n' >${path}`
  const where = { proved: 'lab', images: [image] } as const
  const redis = () => phpSession(version).redis({ prefix: 'law:', lifetime: '2h', locking: true })
  return [
    { name: `phpSession ${version}, new`, task: redis, before: () => none, ...where },
    {
      name: `phpSession ${version}, drifted`,
      task: redis,
      values: () => [[fileAt(path), files]],
      before: () => there,
      ...where,
    },
    {
      name: `phpSession ${version}, absent`,
      task: () => phpSession(version).absent(),
      values: () => [[fileAt(path), files]],
      before: () => there,
      ...where,
    },
  ]
})
