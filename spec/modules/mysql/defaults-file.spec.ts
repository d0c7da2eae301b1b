/** A password reaches the database client by a file of options that nobody else may read. */

import { chmodSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { databaseServer } from '../../../modules/mysql/ask.ts'
import { client } from '../../../modules/mysql/client.ts'
import { answers, inShell } from '../answers.ts'
import { Real, realShells } from '../real.ts'

describe.each(realShells)('a file of options, in $title', ({ name, there }) => {
  const real = there ? new Real(name) : undefined
  afterAll(() => real?.remove())

  const told = /^select 1;\n--defaults-extra-file=/
  const refused = /^$/

  it.runIf(there).each([
    ['a password that only its owner may read is taken', 'password = correct horse\n', 0o600, told, ''],
    ['no password, that everybody may read, is taken', 'socket = /run/x\n', 0o644, told, ''],
    [
      'a password that everybody may read is refused',
      '  password = correct horse\n',
      0o644,
      refused,
      'holds a password, and may be read by everybody on the host.\n',
    ],
  ])('with %s', (_, text, mode, stdout, stderr) => {
    const file = real!.path("it's my.cnf")
    writeFileSync(file, `[client]\n${text}`)
    chmodSync(file, mode)
    const output = inShell(name, client(['select 1'], file), { mysql: 'cat; printf "%s\\n" "$@"' })
    expect(output.stdout.toString()).toMatch(stdout)
    expect(output.stderr).toBe(stderr && `${file} ${stderr}`)
    expect(output.status).toBe(stderr === '' ? 0 : 1)
    expect(`${output.stdout.toString()}${output.stderr}`).not.toContain('correct')
  })
})

it('that everybody may read is refused in the plan', () => {
  const stderr = '/root/.my.cnf holds a password, and may be read by everybody on the host.\n'
  expect(answers([databaseServer('/root/.my.cnf')], { status: 1, stderr })).toEqual([
    expect.objectContaining({
      code: 'E_UNREADABLE',
      message: stderr.trim(),
      hint: expect.stringContaining('chmod 0600'),
    }),
  ])
})
