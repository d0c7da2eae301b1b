import { expect, it } from 'vitest'
import { nginxUser } from '../../../modules/nginx/worker-user.ts'
import { answers } from '../answers.ts'

it.each([
  ['www-data;\n', 'www-data'],
  ['nginx\n', 'nginx'],
  ['\n', 'www-data'],
])('reads the user of the workers', (stdout, user) => {
  expect(answers([nginxUser], { stdout: Buffer.from(stdout) })).toEqual([user])
})
