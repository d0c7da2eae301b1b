import { opcache } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { runningOpcache } from '../../../modules/php/opcache-read.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const other = {
  type: 'file',
  content: { text: 'opcache.memory_consumption = 64\n' },
  mode: '0644',
  owner: 'root',
  group: 'root',
} as const

/** The same on both images, each with its own version. */
export const opcacheExamples: readonly Example[] = (
  [
    ['8.2', 'bookworm'],
    ['8.4', 'sid'],
  ] as const
).flatMap(([version, image]): readonly Example[] => {
  const path = `/etc/php/${version}/fpm/conf.d/99-opcache.ini`
  const unit = `php${version}-fpm`
  const task = () => opcache(version).set({ jit: 'tracing', jitBuffer: '32MiB', maxFiles: 20_000, revalidate: '10s' })
  const stock = sh`rm -f -- ${path}
systemctl restart ${unit}`
  const drifted = sh`printf 'opcache.memory_consumption = 64\n' >${path}
systemctl restart ${unit}`
  const where = { proved: 'lab', images: [image] } as const
  return [
    { name: `opcache ${version}, new`, task, before: () => stock, ...where },
    {
      name: `opcache ${version}, another file`,
      task,
      values: () => [
        [fileAt(path), other],
        [runningOpcache(version), { ...runningOpcache(version).fresh, memory: 64 * 1024 ** 2 }],
      ],
      before: () => drifted,
      ...where,
    },
    {
      name: `opcache ${version}, while it is stopped`,
      task,
      values: () => [[runningOpcache(version), null]],
      before: () => sh`rm -f -- ${path}
systemctl stop ${unit}`,
      ...where,
    },
    {
      name: `opcache ${version}, absent`,
      task: () => opcache(version).absent(),
      values: () => [[fileAt(path), other]],
      before: () => drifted,
      ...where,
    },
  ]
})
