import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { project } from './project.ts'

const local = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'd' }, groups: { web: { vars: { php: '8' } } },
  hosts: {
    here: { groups: ['web'], carrier: 'local' },
    also: { groups: ['web'], carrier: { exec: ['sh', '-c', 'exec sh'] } },
    away: { groups: ['db'], carrier: { exec: ['/nowhere/at/all'] } },
  },
})
`

describe('play', () => {
  it('tells its version, its commands and its exit statuses', async () => {
    const { bin, play } = project()
    expect(await bin(['--version'])).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    })
    const help = await play(['--help'])
    expect(help.status).toBe(0)
    for (const command of ['run', 'plan', 'list', 'facts', 'exec', 'explain', 'trust'])
      expect(help.stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(help.stdout).toContain('  130  interrupted')
    expect((await play(['run', '--help'])).stdout).toContain('--become-password-file <file>')
  })
})

describe('play list', () => {
  it('shows plays with hosts and tasks, and hosts with groups', async () => {
    const { play } = project({ 'plays/hello.spec.ts': 'a spec is no play' })
    expect(await play(['list'])).toEqual({
      status: 0,
      stderr: '',
      stdout: `\
plays
  hello  2 hosts    2 tasks

hosts  inventory/default.ts
  web1  web                   simulated
  web2  web                   simulated
  db1   db                    simulated
`,
    })
  })

  it('shows the tasks of a play, with their lines and tags', async () => {
    const { play } = project()
    expect((await play(['list', 'hello'])).stdout).toBe(`\
hello · web · 2 hosts · 2 tasks
  file /etc/motd         plays/hello.ts:5  tags: motd
  file /etc/php-version  plays/hello.ts:6
`)
  })

  it('goes on where one cannot be loaded', async () => {
    const { play } = project({ 'plays/broken.ts': 'export default (' })
    const { status, stdout, stderr } = await play(['list'])
    expect(status).toBe(4)
    expect(stdout).toContain('  broken  cannot be loaded\n  hello   2 hosts    2 tasks\n')
    expect(stderr).toContain('plays/broken.ts:1:17')
  })
})

describe('play facts', () => {
  it('asks hosts what they are', async () => {
    const { play } = project({ 'inventory/default.ts': local })
    const text = await play(['facts', 'here'])
    expect(text.status).toBe(0)
    expect(text.stdout).toMatch(/^here\n {2}host\n {4}hostname +\S+\n/)
    expect(text.stdout).toMatch(/^ {2}os\n {4}os\.id +\w+\n/m)
    expect(text.stdout).toMatch(/^ {4}interfaces lo +\S+ · mtu \d+/m)
    expect(text.stdout).toMatch(/^ {4}software\.nginx +\S+\n/m)
    const json = await play(['facts', 'here,away', '--output', 'json'])
    const [here, away] = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(here).toMatchObject({
      host: 'here',
      facts: { processors: expect.any(Number), software: { php: expect.any(Array) } },
    })
    expect(away).toMatchObject({ host: 'away', failure: { code: 'E_CONNECT' } })
    expect(json.status).toBe(3)
  })
})

describe('play exec', () => {
  it('runs a command side by side, and tells equal answers once', async () => {
    const { play } = project({ 'inventory/default.ts': local })
    expect(await play(['exec', 'web', '--', 'echo hi | tr h H; echo oops >&2'])).toEqual({
      status: 0,
      stdout: 'here also\n  Hi\n  oops\n',
      stderr: '',
    })
    expect(await play(['exec', 'here', '--', 'printf', '%s.', 'a b', "it's", '-x'])).toMatchObject({
      stdout: "here\n  a b.it's.-x.\n",
    })
  })

  it('ends with 2 where it failed, with 3 where a host was not reached', async () => {
    const { play } = project({ 'inventory/default.ts': local })
    expect(await play(['exec', 'all', '--', 'exit 7'])).toMatchObject({
      status: 2,
      stdout: expect.stringContaining('here also\n  exit 7\n\naway\n  unreachable\n'),
    })
    expect((await play(['exec', 'all', '--', 'true'])).status).toBe(3)
    expect(await play(['exec', 'here', '--timeout', '1', '--', 'sleep 30'])).toMatchObject({
      status: 2,
      stdout: expect.stringContaining('ended: it took too long'),
    })
  })

  it('refuses hosts without a shell, and patterns that match nothing', async () => {
    const { play } = project()
    expect(await play(['exec', 'web', '--', 'true'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('web1, web2'),
    })
    expect(await play(['exec', 'wbe', '--', 'true'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('Did you mean web?'),
    })
  })
})

describe('play explain', () => {
  it('shows the questions, the writes under their tasks, and the reactions, and changes nothing', async () => {
    const { play, folder } = project()
    const { status, stdout } = await play(['explain', 'hello', 'web1'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^ {2}ask {2}\d+ places?$/m)
    expect(stdout).toMatch(/write\n {6}# pending reactions\n/)
    expect(stdout).toMatch(/\n {4}file \/etc\/motd {2}plays\/hello\.ts:5\n {6}# \/etc\/motd\n/)
    expect(stdout).toContain('      # on its standard input: 29 bytes\n')
    expect(stdout).toMatch(/react\n {4}tell {2}because of file \/etc\/motd\n {6}\(\n {6}wall hello\n/)
    expect(existsSync(join(folder, '.play'))).toBe(false)
  })
})

describe('play trust', () => {
  it('is for hosts that have a key', async () => {
    const { play } = project({ 'inventory/default.ts': local })
    const { status, stderr } = await play(['trust', 'here', '--yes'])
    expect(status).toBe(4)
    expect(stderr).toContain('it has no key that we verify')
    expect(stderr).toContain('Name a host without a carrier')
  })
})
