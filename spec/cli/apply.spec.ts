import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { PlanFile } from '../../engine/plan-file.ts'
import { hello, project } from './project.ts'

const web1 = (folder: string) => join(folder, '.play/sandbox/default/web1.json')
const state = (folder: string) => JSON.parse(readFileSync(web1(folder), 'utf8')) as Record<string, unknown>
const planOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as PlanFile

/** A value on the simulated web1 that somebody else has written. */
function meddle(folder: string, key: string, value: unknown): void {
  writeFileSync(web1(folder), JSON.stringify({ ...state(folder), [key]: value }))
}

const text = (content: string) => ({
  type: 'file',
  content: { text: content },
  mode: '0644',
  owner: 'root',
  group: 'root',
})

describe('play plan --out', () => {
  it('keeps places, values before and after, digests of scripts, and what was told', async () => {
    const { play, folder } = project()
    const { status, stderr } = await play(['plan', 'hello', '--out', 'plan.json', '--exit-code'])
    expect([status, stderr]).toEqual([10, '\nThe plan is in plan.json. Do it: play apply plan.json\n'])
    expect(statSync(join(folder, 'plan.json')).mode & 0o777).toBe(0o600)
    const plan = planOf(folder)
    expect(plan).toMatchObject({ type: 'fleetplay-plan', version: 1, play: 'plays/hello.ts' })
    expect(plan.tasks.map(({ host, task }) => `${host} ${task.title} ${task.place?.line}`)).toEqual([
      'web1 file /etc/motd 5',
      'web1 file /etc/php-version 6',
      'web2 file /etc/motd 5',
      'web2 file /etc/php-version 6',
    ])
    expect(plan.tasks[0]!.moves).toEqual([
      {
        key: 'file:/etc/motd',
        label: '/etc/motd',
        from: { value: { type: 'absent' } },
        to: { value: text('Welcome to coaching.example.\n') },
        script: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        dependsOn: [],
      },
    ])
    expect((await play(['show', 'plan.json'])).stdout).toContain('would change\n  file /etc/motd')
    expect(existsSync(join(folder, '.play'))).toBe(false)
  })

  it('is not written where the plan cannot be done as a whole, or the file cannot be written', async () => {
    const bad = hello.replace("file('/etc/php-version')", "file('/gone/php-version')")
    const { play, folder } = project({
      'plays/hello.ts': bad,
      'plays/fine.ts': hello,
      'inventory/default.ts': `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  carrier: { simulated: { has: { 'file:/gone': { type: 'absent' } } } },
  vars: { domain: 'coaching.example' },
  groups: { web: { vars: { php: '8.4' } } },
  hosts: { web1: { groups: ['web'] } },
})
`,
    })
    const { status, stderr } = await play(['plan', 'hello', '--out', 'plan.json'])
    expect([status, stderr]).toEqual([
      2,
      '\nplan.json was not written: a plan that cannot be done as a whole cannot be applied.\n',
    ])
    expect(existsSync(join(folder, 'plan.json'))).toBe(false)
    const nowhere = await play(['plan', 'fine', '--out', 'no/such/plan.json'])
    expect([nowhere.status, nowhere.stderr]).toEqual([4, expect.stringContaining('cannot be written')])
  })
})

describe('play apply', () => {
  it('does what the plan says, once', async () => {
    const { play, folder } = project()
    await play(['plan', 'hello', '--out', 'plan.json'])
    const applied = await play(['apply', 'plan.json'])
    expect([applied.status, applied.stdout]).toEqual([0, expect.stringContaining('changed 4')])
    expect(state(folder)['file:/etc/motd']).toEqual(text('Welcome to coaching.example.\n'))
    const again = await play(['apply', 'plan.json'])
    expect([again.status, again.stdout]).toEqual([4, ''])
    expect(again.stderr).toMatch(/The plan was applied already, by the run \S+\.\n.*make it anew/)
    expect((await play(['show', 'plan.json'])).status).toBe(0)
    expect((await play(['history'])).stdout).toMatch(/apply hello +2 hosts +changed 2/)
  })

  it('refuses what has moved since, offers the rest, and never does it silently', async () => {
    const { play, folder } = project()
    await play(['run', 'hello', '--limit', 'web1'])
    meddle(folder, 'file:/etc/motd', text('old\n'))
    meddle(folder, 'file:/etc/php-version', text('8.2\n'))
    await play(['plan', 'hello', '--limit', 'web1', '--out', 'plan.json'])
    meddle(folder, 'file:/etc/motd', text('hands off\n'))
    const before = readFileSync(web1(folder), 'utf8')
    const asked = await play(['apply', 'plan.json'])
    expect([asked.status, readFileSync(web1(folder), 'utf8')]).toEqual([2, before])
    expect(asked.stdout).toContain('file /etc/motd')
    expect(asked.stdout).toContain('/etc/motd is 1 line 0644 root:root now, with other contents than the plan found.')
    expect(asked.stderr).toContain('Nothing was done yet. What is refused stays as it is; --rest does the rest.')

    const json = await play(['apply', 'plan.json', '--output', 'json'])
    const events = json.stdout
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each) as { type: string; failure?: object })
    expect(events.map(({ type, failure }) => [type, failure])).toEqual([
      ['run-started', undefined],
      ['task', expect.objectContaining({ code: 'E_MOVED' })],
    ])

    const rest = await play(['apply', 'plan.json', '--rest'])
    expect(rest.status).toBe(2)
    expect(rest.stdout).toMatch(/skipped\n {2}file \/etc\/motd .*refused: /)
    expect(state(folder)).toMatchObject({
      'file:/etc/motd': text('hands off\n'),
      'file:/etc/php-version': text('8.4\n'),
    })
  })

  it('refuses what rests on a refused task', async () => {
    const unit = `import { file, service } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('unit').hosts('web').tasks([
  file('/etc/systemd/system/a.service').content('[Service]\\nExecStart=/bin/true\\n'),
  service('a').started(),
  file('/etc/motd').content('a\\n'),
])
`
    const { play, folder } = project({ 'plays/unit.ts': unit })
    await play(['run', 'hello', '--limit', 'web1'])
    await play(['plan', 'unit', '--limit', 'web1', '--out', 'plan.json'])
    meddle(folder, 'file:/etc/systemd/system/a.service', text('mine\n'))
    const { status, stdout } = await play(['apply', 'plan.json', '--rest'])
    expect(status).toBe(2)
    expect(stdout).toMatch(
      /service a.service +web1 .*\n +It rests on file \/etc\/systemd\/system\/a.service, which is refused./,
    )
    expect(state(folder)).toMatchObject({
      'file:/etc/systemd/system/a.service': text('mine\n'),
      'file:/etc/motd': text('a\n'),
    })
    expect(state(folder)).not.toHaveProperty('unit:a.service')
  })

  it('refuses a task that the play says otherwise since', async () => {
    const { bin, play, write } = project()
    await play(['plan', 'hello', '--out', 'plan.json'])
    write('plays/hello.ts', hello.replace('Welcome to', 'Good morning from'))
    const { status, stdout } = await bin(['apply', 'plan.json'])
    expect([status, stdout]).toEqual([
      2,
      expect.stringContaining(
        '/etc/motd would become 1 line 0644 root:root now, with other contents than the plan says.',
      ),
    ])
  })

  it.each([
    ['nothing.json', undefined, 'cannot be read'],
    ['text.json', 'hello', 'is no plan: it is not JSON'],
    ['null.json', 'null', 'is no plan'],
    ['other.json', '{"version":1}', 'is no plan'],
    ['new.json', '{"type":"fleetplay-plan","version":99}', 'has the form 99, and this fleetplay takes 1'],
  ])('takes no %s', async (name, content, told) => {
    const { play, write } = project()
    if (content !== undefined) write(name, content)
    const { status, stderr } = await play(['apply', name])
    expect([status, stderr]).toEqual([4, expect.stringContaining(told)])
  })
})
