/** What a person or a file gets to see of a run: no secret that is known by its form. */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { project } from './project.ts'

const play = (tasks: string) => `import { block, command, file, http, line, redisConfig, sh, wpConfig } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'

export default fleet.play('hello').hosts('web').tasks([
${tasks}
])
`

const written = play(`  file('/root/.my.cnf').content('[client]\\npassword = correct horse\\n').mode('0600'),
  line('/etc/environment').present('API_TOKEN=correct horse', { create: true }),
  command('load', sh\`mysql -u root -pcorrect\\ horse </root/load.sql\`).always(),`)

describe('a secret', () => {
  it.each([
    ['run', 'hello', '--diff'],
    ['plan', 'hello', '--diff'],
    ['run', 'hello', '--output', 'json'],
    ['plan', 'hello', '--output', 'json'],
    ['explain', 'hello', 'web1'],
    ['list', 'hello'],
  ])('is not told by play %s %s %s %s', async (...args) => {
    const { play: say } = project({ 'plays/hello.ts': written })
    const { status, stdout, stderr } = await say(args.filter((word) => word !== undefined))
    expect(status, stderr).toBe(0)
    expect(stdout).toContain('.my.cnf')
    expect(stdout + stderr).not.toContain('correct')
  })

  it.each([
    ["  redisConfig({ requirepass: 'correct horse' } as never),", 'requirepass'],
    ["  wpConfig('/srv/wp-config.php').define('DB_PASSWORD', 'correct horse'),", 'DB_PASSWORD'],
    ["  http('https://admin:correct%20horse@coaching.example/').expect({ status: 200 }),", 'a password in it'],
    [
      "  http('https://coaching.example/').header('Authorization', 'Basic correct').expect({ status: 200 }),",
      'Authorization',
    ],
    [
      "  line('/etc/a').present('token=correct'), line('/etc/a').present('token=correct', { matching: /x/ }),",
      'does not match',
    ],
  ])('is not told with the mistake that it is there: %s', async (task, said) => {
    const { play: say } = project({ 'plays/hello.ts': play(task) })
    for (const more of [[], ['--output', 'json']]) {
      const { status, stdout, stderr } = await say(['run', 'hello', ...more])
      expect(status).toBe(4)
      expect(stderr).toContain(said)
      expect(stdout + stderr).not.toContain('correct')
    }
  })

  it('that a simulated host holds is in no file that others may read', async () => {
    const { play: say, folder } = project({ 'plays/hello.ts': written })
    await say(['run', 'hello'])
    const files = readdirSync(join(folder, '.play'), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, '.play', name))
      .filter((path) => statSync(path).isFile())
    const holding = files.filter((path) => readFileSync(path, 'utf8').includes('correct'))
    expect(files).not.toEqual([])
    expect(holding.filter((path) => (statSync(path).mode & 0o077) !== 0)).toEqual([])
  })
})
