import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { keeper, runName } from '../../cli/run-files.ts'
import { project } from './project.ts'

const runIn = (stdout: string) => /play undo (\S+)/.exec(stdout)![1]!
const runsOf = (folder: string) => readdirSync(join(folder, '.play/runs')).toSorted()

/** One host works, one is not there, one fails. */
const three = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'd' }, groups: { web: { vars: { php: '8' } } },
  hosts: {
    here: { groups: ['web'], carrier: 'local' },
    bad: { groups: ['web'], carrier: { exec: ['env'] }, vars: { php: 'bad' } },
    away: { groups: ['web'], carrier: { exec: ['/nowhere/at/all'] } },
  },
})
`
const mixed = `import { command, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('mixed').hosts('web').maxFailures('100%')
  .tasks(({ vars }) => [command('it', vars.php === 'bad' ? sh\`exit 7\` : sh\`true\`).always()])
`

describe('play history', () => {
  it('says where there is none', async () => {
    const { play, folder } = project()
    const { status, stdout } = await play(['history'])
    expect([status, stdout]).toEqual([0, 'No run is on record: there is none in .play/runs of this folder.\n'])
    expect(existsSync(join(folder, '.play'))).toBe(false)
  })

  it('tells runs with what came of them, the newest last, and no plan', async () => {
    const { play, folder } = project()
    const run = runIn((await play(['run', 'hello', '-i', 'default'])).stdout)
    await play(['plan', 'hello'])
    await play(['undo', run, '--yes'])
    const { stdout } = await play(['history'])
    const [first = '', second = '', ...more] = stdout.split('\n')
    expect(first).toMatch(new RegExp(`^  ${run}  run hello -i default +2 hosts +changed 2$`))
    expect(second).toMatch(new RegExp(`^  \\S{23}  undo of ${run} hello -i default +2 hosts +changed 2$`))
    expect(more).toEqual([''])
    expect((await play(['history', '--last', '1'])).stdout).toBe(`${second}\n`)
    expect(runsOf(folder)).toHaveLength(2)
  })

  it('names a record that cannot be read, and tells the others', async () => {
    const { play, folder } = project()
    const [one, two] = [
      runIn((await play(['run', 'hello'])).stdout),
      runIn((await play(['run', 'hello', '-e', 'domain=a'])).stdout),
    ]
    const journal = join(folder, '.play/runs', one, 'journal.jsonl')
    writeFileSync(journal, readFileSync(journal, 'utf8').replace('"version":1', '"version":9'))
    const { status, stdout } = await play(['history'])
    expect(status).toBe(0)
    expect(stdout).toMatch(new RegExp(`${one} .*has the form 9`))
    expect(stdout).toMatch(new RegExp(`${two} .*changed 2`))
    const shown = await play(['show', one])
    expect(shown.status).toBe(4)
    expect(shown.stderr).toContain('take the fleetplay that wrote it')
  })

  it('is of one project alone', async () => {
    const [a, b] = [project(), project()]
    const run = runIn((await a.play(['run', 'hello'])).stdout)
    expect((await b.play(['history'])).stdout).toContain('No run is on record')
    expect((await b.play(['show', run])).stderr).toContain('No run of this project is on record.')
  })
})

describe('play show', () => {
  it('tells a run again, by its name, the beginning of it, or last', async () => {
    const { play } = project()
    const { stdout } = await play(['run', 'hello'])
    const run = runIn(stdout)
    for (const name of [run, run.slice(0, -3), 'last']) {
      const shown = await play(['show', name])
      expect(shown.status).toBe(0)
      expect(shown.stdout.startsWith(`${run}, begun `)).toBe(true)
      expect(shown.stdout).toContain(stdout.slice(stdout.indexOf('changed\n')))
    }
  })

  it('tells the events as the run did, with --output json', async () => {
    const { play } = project()
    const ran = await play(['run', 'hello', '--output', 'json'])
    const shown = await play(['show', 'last', '--output', 'json'])
    const told = (text: string) => text.split('\n').filter((line) => line !== '' && !line.includes('"type":"progress"'))
    expect(told(shown.stdout)).toEqual(told(ran.stdout))
  })

  it('has the lines that changed, with --diff', async () => {
    const { play } = project()
    await play(['run', 'hello'])
    expect((await play(['show', 'last', '--diff'])).stdout).toContain('+Welcome to coaching.example.')
  })

  it('suggests the run that was meant', async () => {
    const { play } = project()
    const run = runIn((await play(['run', 'hello'])).stdout)
    const { status, stderr } = await play(['show', `${run.slice(0, -1)}x`])
    expect(status).toBe(4)
    expect(stderr).toContain(`Did you mean ${run}?`)
    expect((await play(['resume', 'x'])).stderr).toContain('`play history` tells them all.')
  })

  it('reads a journal that was cut anywhere in its last line', async () => {
    const { play, folder } = project()
    const run = runIn((await play(['run', 'hello'])).stdout)
    const journal = join(folder, '.play/runs', run, 'journal.jsonl')
    const whole = readFileSync(journal, 'utf8')
    writeFileSync(journal, whole.slice(0, -10))
    const { status, stdout } = await play(['show', run])
    expect(status).toBe(0)
    expect(stdout).toContain(`go on: play resume ${run}`)
    expect((await play(['history'])).stdout).toContain('interrupted')
  })
})

describe('play run --only', () => {
  it('takes the hosts that the last run left', async () => {
    const { play } = project({ 'inventory/default.ts': three, 'plays/mixed.ts': mixed })
    const hosts = async (...args: readonly string[]) => {
      const { stdout, stderr } = await play(['run', 'mixed', '--output', 'json', ...args])
      const [first = ''] = stdout.split('\n')
      return (JSON.parse(first) as { readonly hosts?: readonly string[] }).hosts ?? stderr
    }
    expect(await hosts()).toEqual(['here', 'bad', 'away'])
    expect(await hosts('--only', 'failed,unreached', '-i', 'inventory/default.ts')).toEqual(['bad', 'away'])
    expect(await hosts('--only', 'failed')).toEqual(['bad'])
    // The last run had one host, and that has failed.
    expect(await hosts('--only', 'unreached')).toMatch(/--only unreached: the last run, \S+, left no such host\./)
  })

  it('is refused with --limit, without a run, and with words that it does not know', async () => {
    const { play } = project()
    const said = async (...args: readonly string[]) => {
      const { status, stderr } = await play(['run', 'hello', ...args])
      expect(status).toBe(4)
      return stderr
    }
    expect(await said('--only', 'failed')).toContain('no run of hello on this inventory is on record')
    await play(['run', 'hello'])
    expect(await said('--only', 'failed', '--limit', 'web1')).toContain('--only and --limit both say which hosts')
    expect(await said('--only', 'failed')).toMatch(/left no such host\.\s+`?play show/)
    expect(await said('--only', 'broken')).toContain('It takes failed, unreached, or both with a comma between.')
  })

  it('reads no older record than that of the last run', async () => {
    const { play, folder } = project({ 'inventory/default.ts': three, 'plays/mixed.ts': mixed })
    mkdirSync(join(folder, '.play/runs/2000-01-01T00-00-00-000'), { recursive: true })
    writeFileSync(join(folder, '.play/runs/2000-01-01T00-00-00-000/journal.jsonl'), 'no journal\n')
    await play(['run', 'mixed'])
    const { stdout } = await play(['run', 'mixed', '--only', 'failed'])
    expect(stdout).toContain('mixed · bad · 1 host')
  })
})

describe('the folder of a run', () => {
  it('is of one run, also where two begin in the same millisecond', () => {
    const { folder } = project()
    const runs = join(folder, '.play/runs')
    const now = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
    expect([1, 2, 3].map(() => runName(now, runs))).toEqual([
      '2026-01-02T03-04-05-006',
      '2026-01-02T03-04-05-007',
      '2026-01-02T03-04-05-008',
    ])
    keeper('2026-01-02T03-04-05-006', runs)('web1', { name: 'a/b', content: 'x' })
    expect(readFileSync(join(runs, '2026-01-02T03-04-05-006/web1-a_b'), 'utf8')).toBe('x')
  })

  it('that cannot be made is told so, and nothing is done', async () => {
    const { play, folder } = project()
    mkdirSync(join(folder, '.play'))
    writeFileSync(join(folder, '.play/runs'), '')
    const { status, stdout, stderr } = await play(['run', 'hello'])
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/\.play\/runs cannot be written: EEXIST/)
    expect(stderr).toContain('Nothing is done that is not on record.')
    expect(existsSync(join(folder, '.play/sandbox'))).toBe(false)
  })

  it('that cannot be read is told so, and not taken for none', async () => {
    const { play, folder } = project()
    rmSync(join(folder, '.play'), { recursive: true, force: true })
    mkdirSync(join(folder, '.play/runs/2026-01-01T00-00-00-000/journal.jsonl'), { recursive: true })
    const { status, stderr } = await play(['show', 'last'])
    expect(status).toBe(4)
    expect(stderr).toMatch(/journal\.jsonl cannot be read: EISDIR/)
  })
})
