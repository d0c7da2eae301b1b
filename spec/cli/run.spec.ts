import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { project, sandbox } from './project.ts'

/** The time that a run took is the one thing that no two have in common. */
const timeless = (text: string) => text.replace(/\d+\.\d s/, 'N s').replace(/(play undo) \S+/, '$1 RUN')

const notice = `\
These hosts are simulated: they are in memory, and nothing is connected to.
For real hosts write inventory/production.ts, and choose it with -i production.
`

describe('play run in the sandbox', () => {
  it('changes at first, and nothing the second time', async () => {
    const { bin, play, folder } = project()
    const first = await bin(['run', 'hello'])
    expect(timeless(first.stdout)).toBe(`\
hello · 2 hosts · 2 tasks · inventory/default.ts
${notice}
changed
  file /etc/motd         web1 web2        plays/hello.ts:5
    /etc/motd            absent → 1 line 0644 root:root
  file /etc/php-version  web1 web2        plays/hello.ts:6
    /etc/php-version     absent → 1 line 0644 root:root

reacted
  tell                   web1 web2        because of file /etc/motd

  hosts  ok 0 · changed 2 · failed 0 · unreachable 0      tasks  ok 0 · changed 4 · failed 0      N s · 5 trips a host
  turn it round:  play undo RUN
`)
    expect(first).toMatchObject({ status: 0, stderr: '' })
    expect(JSON.parse(readFileSync(join(folder, '.play/sandbox/default/web1.json'), 'utf8'))).toMatchObject({
      'file:/etc/php-version': { type: 'file', content: { text: '8.4\n' } },
    })

    const second = await play(['run', 'hello'])
    expect(timeless(second.stdout)).toBe(`\
hello · 2 hosts · 2 tasks · inventory/default.ts
${notice}
  hosts  ok 2 · changed 0 · failed 0 · unreachable 0      tasks  ok 4 · changed 0 · failed 0      N s · 2 trips a host
`)
    expect((await play(['plan', 'hello', '--exit-code'])).status).toBe(0)
  })

  it('changes nothing with --check, and says what it would', async () => {
    const { play, folder } = project()
    const check = await play(['run', 'hello', '--check'])
    const plan = await play(['plan', 'hello', '--exit-code'])
    expect(check.stdout).toContain('would change\n  file /etc/motd')
    expect(timeless(plan.stdout)).toBe(timeless(check.stdout))
    expect([check.status, plan.status]).toEqual([0, 10])
    expect(existsSync(join(folder, '.play'))).toBe(false)
  })

  it('takes hosts, tags and variables from the command line', async () => {
    const { play, folder } = project()
    const { stdout, status } = await play(['run', 'hello', '-l', 'web2', '-t', 'motd', '-e', 'domain=a.example', '-D'])
    expect(status).toBe(0)
    expect(stdout).toContain('hello · web2 · 1 host · 1 task · inventory/default.ts')
    expect(stdout).toContain('+Welcome to a.example.')
    expect(stdout).not.toContain('php-version')
    expect(readdirSync(join(folder, '.play/sandbox/default'))).toEqual(['web2.json'])
  })

  it('keeps the state of each inventory apart', async () => {
    const { play, folder } = project({ 'inventory/other.ts': sandbox })
    await play(['run', 'hello', '-i', 'other'])
    expect(readdirSync(join(folder, '.play/sandbox'))).toEqual(['other'])
    await play(['run', 'hello', '-i', 'inventory/default.ts'])
    expect(readdirSync(join(folder, '.play/sandbox'))).toEqual(['default', 'other'])
  })
})

describe('the form of the output', () => {
  it('is JSON lines where that is asked for', async () => {
    const { play } = project()
    const { stdout } = await play(['run', 'hello', '--output', 'json'])
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { version: number; type: string })
    expect(new Set(events.map(({ version }) => version))).toEqual(new Set([1]))
    expect(events[0]).toMatchObject({
      type: 'run-started',
      hosts: ['web1', 'web2'],
      simulated: ['web1', 'web2'],
      check: false,
    })
    expect(events.filter(({ type }) => type === 'task')).toHaveLength(4)
    expect(events.at(-1)).toMatchObject({
      type: 'run-finished',
      recap: { hosts: { changed: 2 }, tasks: { changed: 4 } },
    })
  })

  it('has colours only where they are wanted', async () => {
    const { play } = project()
    const args = ['plan', 'hello', '--diff']
    expect((await play(args, { FORCE_COLOR: '1' })).stdout).toContain('\u001b[33mwould change\u001b[39m')
    expect((await play(args, { FORCE_COLOR: '1', NO_COLOR: '1' })).stdout).not.toContain('\u001b')
  })
})

describe('exit statuses', () => {
  const local = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'd', }, groups: { web: { vars: { php: '8' } } },
  hosts: {
    here: { groups: ['web'], carrier: 'local' },
    away: { groups: ['web'], carrier: { exec: ['/nowhere/at/all'] } },
  },
})
`
  const bad = `import { file } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('bad').hosts('web').tasks(() => [file('/proc/nowhere/x').content('x')])
`
  const nothing = `import { fleet } from '../inventory/shape.ts'
export default fleet.play('nothing').hosts('web').tasks([])
`
  const files = { 'inventory/default.ts': local, 'plays/bad.ts': bad, 'plays/nothing.ts': nothing }

  it('are 2 where a task failed, 3 where a host was unreachable, and 2 wins', async () => {
    const { play } = project(files)
    const both = await play(['run', 'bad'])
    expect(both.status).toBe(2)
    expect(both.stdout).toContain('again on what is left:  play run bad --limit here,away')
    const unreachable = await play(['run', 'nothing'])
    expect(unreachable.status).toBe(3)
    expect(unreachable.stdout).toContain('unreachable\n  away\n    /nowhere/at/all: there is no such command here')
  })

  it('are those of the whole run, though nobody reads what it tells any more', async () => {
    const { play, folder } = project()
    const told = `{ node ${join(import.meta.dirname, '../../cli/play.js')} run hello --output json; echo $? >status; } | head -c 1`
    await promisify(execFile)('sh', ['-c', told], { cwd: folder })
    expect(readFileSync(join(folder, 'status'), 'utf8')).toBe('0\n')
    expect((await play(['run', 'hello'])).stdout).toContain('changed 0')
  })

  it('are 130 where it was interrupted, after what was begun was finished', async () => {
    const slow = `import { file, handler, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default [
  fleet.play('one').hosts('web').tasks(({ vars }) => [
    file(vars.domain).content('x').notify(
      handler('nap', sh\`n=0; until test -e \${vars.domain + '.told'} || test $((n += 1)) -gt 100; do sleep 0.1; done\`),
    ),
  ]),
  fleet.play('two').hosts('web').tasks(({ vars }) => [file(vars.domain + '2').content('y')]),
]
`
    const { bin, folder } = project({ ...files, 'plays/slow.ts': slow })
    let told = false
    const args = ['run', 'slow', '-l', 'here', '-e', `domain=${folder}/out`, '--output', 'json']
    const ended = await bin(args, (text, pid) => {
      if (told || !text.includes('"type":"task"')) return
      told = true
      process.kill(pid, 'SIGINT')
      writeFileSync(join(folder, 'out.told'), '')
    })
    expect(ended.status, ended.stderr).toBe(130)
    expect(ended.stdout).toContain('"type":"reaction"')
    expect(ended.stdout).toMatch(/"type":"not-begun".*"reason":"interrupted"/)
    expect(ended.stdout).toContain('"interrupted":true')
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('x')
    expect(existsSync(join(folder, 'out2'))).toBe(false)
  })
})
