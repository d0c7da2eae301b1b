import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hello, project, sandbox } from './project.ts'

describe('what is misspelt', () => {
  it('is told with a suggestion: command, option, play, inventory', async () => {
    const { bin, play } = project({ 'inventory/production.ts': sandbox })
    const suggestions = [
      [['rnu', 'hello'], 'Did you mean run?'],
      [['run', 'hello', '--limt', 'web1'], 'Did you mean --limit?'],
      [['run', 'hello', '-i', 'prodution'], 'Did you mean production?'],
    ] as const
    for (const [args, suggestion] of suggestions) {
      const { status, stdout, stderr } = await play(args)
      expect([status, stdout]).toEqual([4, ''])
      expect(stderr).toContain('1 mistake; nothing was connected to')
      expect(stderr).toContain(suggestion)
    }
    expect(await bin(['run', 'hello', '-i', 'prodution'])).toMatchObject({
      status: 4,
      stdout: '',
      stderr: expect.stringContaining('Did you mean production?'),
    })
  })

  it('is answered with the help where there is no command', async () => {
    const { status, stdout, stderr } = await project().play([])
    expect([status, stdout]).toEqual([4, ''])
    expect(stderr).toMatch(/^Usage: play \[options\] \[command\]\n/)
    expect(stderr).not.toContain('mistake;')
  })

  it('is told what there is where nothing is near, and an example keeps its indentation', async () => {
    const { play } = project()
    expect((await play(['run', 'hello', '-e', 'frobnicate=x'])).stderr).toContain('    The shape has: domain')
    expect((await play(['run', 'hello', '-i', 'frobnicate'])).stderr).toContain('\n      groups: { web: { vars: { php')
  })

  it('is told of a private key that is not there, before any connection', async () => {
    const { play } = project({
      'inventory/default.ts': sandbox
        .replace(
          'export default inventory(fleet, {',
          "export default inventory(fleet, {\n  ssh: { privateKey: '~/nowhere' },",
        )
        .replace(/carrier: [^\n]*/, ''),
    })
    const { status, stderr } = await play(['run', 'hello'])
    expect(status).toBe(4)
    expect(stderr).toContain('ssh.privateKey: there is no file ~/nowhere.')
    expect(stderr.match(/no file/g)).toHaveLength(1)
  })

  it('is told of a file that is no TypeScript', async () => {
    const { play } = project({ 'README.md': '# hello' })
    const { status, stderr } = await play(['run', 'README.md'])
    expect(status).toBe(4)
    expect(stderr).toContain('README.md is no play.')
    expect(stderr).toContain('plays/NAME.ts')
  })

  it('is told all at once: host, tag, variable', async () => {
    const { play, folder } = project()
    const { status, stderr } = await play(['run', 'hello', '--limit', 'wbe1', '--tags', 'mtod', '-e', 'domian=x'])
    expect(status).toBe(4)
    expect(stderr).toBe(`\
3 mistakes; nothing was connected to

  -e domian: the shape has no such variable.
    Did you mean domain?

  wbe1 matches no host and no group of the inventory.
    Did you mean web1?

  --tags mtod: no task of hello has this tag.
    Did you mean motd?
`)
    expect(existsSync(join(folder, '.play'))).toBe(false)
  })

  it.each([
    ['', 'A pattern of hosts is empty, or has an empty part.'],
    ['web1,', 'A pattern of hosts is empty, or has an empty part.'],
    ['web[1', 'web[1 matches no host and no group of the inventory.'],
    ['web[2-1]', 'web[2-1] matches no host and no group of the inventory.'],
  ])('is told of --limit %j, which is never all hosts', async (limit, words) => {
    const { play } = project()
    const { status, stderr } = await play(['run', 'hello', '--limit', limit])
    expect([status, stderr]).toEqual([4, expect.stringContaining(words)])
    expect((await play(['exec', limit, '--', 'true'])).status).toBe(4)
  })

  it('is told in a play with its lines, and in an inventory', async () => {
    const { play } = project({
      'plays/hello.ts': hello
        .replace("hosts('web')", "hosts('wbe' as 'web')")
        .replace("'/etc/php-version'", "'etc/php'"),
      'inventory/default.ts': sandbox.replace("groups: ['db']", "groups: ['bd' as 'db'], vars: { fhp: 1 } as object"),
    })
    const { status, stderr } = await play(['run', 'hello'])
    expect(status).toBe(4)
    expect(stderr).toBe(`\
3 mistakes; nothing was connected to

  db1: group bd is not in the shape.
    inventory/default.ts:3:16
      export default inventory(fleet, {
                     ^
    Did you mean db?

  db1: the shape has no variable fhp for it.
    inventory/default.ts:3:16
      export default inventory(fleet, {
                     ^
    It may have: domain.

  The play hello: hosts('wbe') matches no host and no group of the inventory.
    plays/hello.ts:4:22
      export default fleet.play('hello').hosts('wbe' as 'web').tasks(({ vars }) => [
                           ^
    Did you mean web?
`)
  })
})

describe('a file that cannot be loaded', () => {
  const loads = async (text: string) => {
    const { play } = project({ 'plays/hello.ts': text })
    const { status, stderr } = await play(['run', 'hello'])
    expect(status).toBe(4)
    return stderr
  }

  it('is told with line and column of what is not TypeScript', async () => {
    expect(await loads("import { file } from 'fleetplay'\nexport default file('/x'\n")).toContain(`
  This is not TypeScript: Expected ")" but found end of file
    plays/hello.ts:3:1
`)
    expect(await loads('export default shape({ groups: { web {} } })\n')).toContain(`
    plays/hello.ts:1:38
      export default shape({ groups: { web {} } })
                                           ^
`)
  })

  it('is told with the line that imports what is not there', async () => {
    expect(await loads("import {\n  filee } from 'fleetplay'\nexport default filee\n")).toContain(`
  fleetplay has nothing that is called filee.
    plays/hello.ts:2:3
      filee } from 'fleetplay'
      ^
    Did you mean file?
`)
    expect(await loads("\nimport { x } from './nowhere.ts'\nexport default x\n")).toContain('    plays/hello.ts:2:19\n')
    expect(await loads("import { x } from 'no-such-package'\nexport default x\n")).toContain(
      'npm install no-such-package',
    )
  })

  it('is told with the line that threw', async () => {
    expect(await loads('interface A { b: 1 }\n\nexport default foo.bar\n')).toContain(`
  ReferenceError: foo is not defined
    plays/hello.ts:3:16
      export default foo.bar
                     ^
`)
  })

  it('is told when it does not export what it should', async () => {
    expect(await loads('export const play = 1\n')).toContain(
      'The file has no default export; it should be a play, or a list of plays.',
    )
    expect(await loads('export default []\n')).toContain('Its default export is not a play, or a list of plays.')
    const { play } = project({ 'inventory/default.ts': 'export default { hosts: {} }\n' })
    expect((await play(['run', 'hello'])).stderr).toContain('Its default export is not an inventory.')
  })

  it('is told together with the inventory, and why it would be CommonJS', async () => {
    const { play } = project({ 'plays/hello.ts': 'export default 1', 'inventory/default.ts': 'export default 2' })
    expect((await play(['run', 'hello'])).stderr).toContain('2 mistakes')
    const cjs = project({ 'package.json': '{}' })
    expect((await cjs.play(['run', 'hello'])).stderr).toContain('Put "type": "module" into')
  })
})

describe('inventories', () => {
  it('are asked for where there is none, with an example', async () => {
    const { play } = project({ 'inventory/default.ts': '' })
    const { status, stderr } = await play(['run', 'hello'])
    expect(status).toBe(4)
    expect(stderr).toContain('There is no inventory/default.ts, and no other inventory was named.')
    expect(stderr).toContain('export default inventory(fleet, {')
  })

  it('must have the shape of the play', async () => {
    const { play } = project({
      'other/shape.ts':
        "import { integer, shape } from 'fleetplay'\nexport const fleet = shape({ groups: { web: { vars: { php: integer } } } })\n",
      'other/inventory.ts':
        "import { inventory } from 'fleetplay'\nimport { fleet } from './shape.ts'\nexport default inventory(fleet, { hosts: { a: { groups: ['web'], vars: { php: 8 } } } })\n",
    })
    const { status, stderr } = await play(['run', 'hello', '-i', 'other/inventory.ts'])
    expect(status).toBe(4)
    const told = stderr.replaceAll(/\s+/g, ' ')
    expect(told).toContain("for every host the variable domain is text in the play's and missing in the inventory's")
    expect(told).toContain("for group web the variable php is text in the play's and integer in the inventory's")
    expect(told).toContain("only the play's has the group db")
  })
})

describe('for programs', () => {
  it('mistakes are JSON too', async () => {
    const { play } = project()
    const { stdout, stderr, status } = await play(['run', 'helo', '--output', 'json'])
    expect(status).toBe(4)
    expect(stderr).toContain('Did you mean hello?')
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, type: 'mistakes', failures: [{ code: 'E_PLAY_NOT_FOUND' }] })
  })
})
