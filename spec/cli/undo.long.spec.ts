import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Ended, project } from './project.ts'

const inventory = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'd' }, groups: { web: { vars: { php: '8' } } },
  hosts: { here: { groups: ['web'], carrier: 'local' } },
})
`
/** Its command waits until it may go on, ten seconds at the most. */
const slow = `import { changed, command, file, handler, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('slow').hosts('web').tasks(({ vars: { domain: at } }) => {
  const conf = file(at + '/conf').content('x').notify(handler('restart it', sh\`echo restarted >>\${at}/restarts\`))
  const wait = sh\`echo begun >>\${at}/begun; n=0; while [ ! -e \${at}/go ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done; echo x >\${at}/waited\`
  return [
    conf,
    command('once', sh\`echo ran >>\${at}/once\`).always(),
    command('also once', sh\`echo ran >>\${at}/also\`).always(),
    command('wait', wait).creates(at + '/waited'),
    command('because', sh\`echo ran >>\${at}/because\`).always().when(changed(conf)),
    file(at + '/last').content('x'),
  ]
})
`
const other = `import { file } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('other').hosts('web').tasks(({ vars }) => [file(vars.domain + '/other').content('x')])
`

const runIn = (stdout: string) => /play (?:undo|resume) (\S+)/.exec(stdout)![1]!
const runsOf = (folder: string) => readdirSync(join(folder, '.play/runs')).toSorted()

/** A project whose command is in hand when it is interrupted. */
async function interrupted(
  signal: (pid: number) => void,
): Promise<ReturnType<typeof project> & { run: string; ended: Ended }> {
  const made = project({ 'inventory/default.ts': inventory, 'plays/slow.ts': slow, 'plays/other.ts': other })
  let isDone = false
  let waiting: ReturnType<typeof setInterval> | undefined
  const ended = await made.bin(['run', 'slow', '-e', `domain=${made.folder}`, '--output', 'json'], (_, pid) => {
    waiting ??= setInterval(() => {
      if (isDone || !existsSync(join(made.folder, 'begun'))) return
      isDone = true
      signal(pid)
    }, 20)
  })
  clearInterval(waiting)
  expect(isDone).toBe(true)
  const [run = ''] = runsOf(made.folder)
  return { ...made, run, ended }
}

describe('play undo', () => {
  it('shows what it would do where there is nobody to ask, and does it with --yes', async () => {
    const { play, folder } = project()
    const run = runIn((await play(['run', 'hello'])).stdout)
    const shown = await play(['undo', run])
    expect(shown.status).toBe(10)
    expect(shown.stdout).toContain(`undo of ${run}, hello`)
    expect(shown.stdout).toMatch(
      /would change\n[^]*  file \/etc\/motd .*\n    \/etc\/motd +1 line 0644 root:root → absent/,
    )
    expect(shown.stderr).toBe('\nNothing was done yet. --yes does it.\n')
    expect(runsOf(folder)).toEqual([run])
    const done = await play(['undo', 'last', '--yes'])
    expect(done).toMatchObject({ status: 0, stderr: '' })
    expect(done.stdout).toMatch(/\nchanged\n[^]*  file \/etc\/motd/)
    const state = JSON.parse(readFileSync(join(folder, '.play/sandbox/default/web1.json'), 'utf8')) as object
    expect(state).toMatchObject({ 'file:/etc/motd': { type: 'absent' } })
    const again = await play(['undo', run, '--yes'])
    expect(again.status).toBe(0)
    expect(again.stdout).toContain('ok 2 · to change 0')
    expect(runsOf(folder)).toHaveLength(2)
  })

  it('turns an undo round, and that too', async () => {
    const { play } = project()
    await play(['run', 'hello'])
    for (const before of ['1 line 0644 root:root → absent', 'absent → 1 line 0644 root:root', '→ absent']) {
      const { stdout, status } = await play(['undo', 'last', '--yes'])
      expect(status).toBe(0)
      expect(stdout).toContain(before)
    }
  })

  it('takes hosts and tasks of the run', async () => {
    const { play } = project()
    const run = runIn((await play(['run', 'hello'])).stdout)
    const one = await play(['undo', run, '--limit', 'web2', '--task', 'file /etc/motd', '--yes'])
    expect(one.status).toBe(0)
    const rest = await play(['undo', run])
    expect(rest.stdout).toMatch(/file \/etc\/motd +web1 +plays/)
    expect(rest.stdout).toMatch(/file \/etc\/php-version +web1 web2 +plays/)
  })

  it('tells a task, a host or a run that there is not', async () => {
    const { play } = project()
    const none = await play(['undo', 'last'])
    expect(none).toMatchObject({ status: 4, stdout: '' })
    expect(none.stderr).toContain('No run of this project is on record.')
    const run = runIn((await play(['run', 'hello'])).stdout)
    const said = async (...args: readonly string[]) => {
      const { status, stderr } = await play(['undo', ...args])
      expect(status).toBe(4)
      return stderr
    }
    expect(await said(run, '--task', 'file /etc/mtd')).toContain('Did you mean file /etc/motd?')
    expect(await said(run, '--limit', 'web9')).toContain('web9 matches no host and no group')
    expect(await said(run, '--limit', 'db1')).toContain('db1 is no host that these plays are for')
    expect(await said('nosuchrun')).toContain('There is no run nosuchrun on record.')
    await play(['run', 'hello'])
    expect(await said(run.slice(0, 4))).toContain('is the beginning of several runs')
  })

  it('leaves what somebody changed since, and does the rest where that is said', async () => {
    const { play, folder } = project()
    const run = runIn((await play(['run', 'hello'])).stdout)
    const file = join(folder, '.play/sandbox/default/web1.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('Welcome to coaching.example', 'By hand'))
    const shown = await play(['undo', run, '--yes'])
    expect(shown.status).toBe(2)
    expect(shown.stdout).toContain(', with other contents than the run left.')
    expect(shown.stdout).toContain('turn a later run round first, or see to this place by hand')
    expect(shown.stderr).toContain('--yes --rest does the rest')
    const done = await play(['undo', run, '--yes', '--rest'])
    expect(done.stdout).toMatch(/skipped\n  file \/etc\/motd +web1 +refused: \/etc\/motd is 1 line/)
    expect(readFileSync(file, 'utf8')).toContain('By hand')
    // There is no rest any more, and nothing to agree to.
    expect(await play(['undo', run])).toMatchObject({ status: 2, stderr: '' })
  })

  it('lists what cannot be turned round', async () => {
    const { play } = project({
      'plays/ran.ts': `import { command, file, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('ran').hosts('web').tasks(() => [command('it', sh\`true\`).always(), file('/etc/a').content('x')])
`,
    })
    const run = runIn((await play(['run', 'ran'])).stdout)
    expect((await play(['undo', run])).stdout).toMatch(/What a command did cannot be turned round/)
    const only = await play(['undo', run, '--task', 'command it'])
    expect(only).toMatchObject({ status: 2, stderr: '' })
    expect(only.stdout).toContain(
      'There is nothing to turn round.\n  command it on web2: What a command did cannot be turned round.\n',
    )
  })
})

describe('a run whose controller was killed', () => {
  it('is named, and gone on with: what was changed counts, and what was run is not run twice', async () => {
    const { folder, play, run, ended } = await interrupted((pid) => process.kill(pid, 'SIGKILL'))
    expect(ended.status).toBeNull()
    const text = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect((await play(['history'])).stdout).toContain(`interrupted; go on: play resume ${run}`)
    const shown = await play(['show', run])
    expect(shown.status).toBe(0)
    expect(shown.stdout).toContain('The run did not come to its end.')
    expect(shown.stdout).toContain('not known how it ended: wait on here, by command wait')
    expect(existsSync(join(folder, 'because'))).toBe(false)
    writeFileSync(join(folder, 'go'), '')
    const resumed = await play(['resume', run, '--wait-for-lock', '1m'])
    expect(resumed.status, resumed.stdout).toBe(0)
    expect([text('once'), text('also'), text('because'), text('restarts')]).toEqual([
      'ran\n',
      'ran\n',
      'ran\n',
      'restarted\n',
    ])
    expect(resumed.stdout).toContain('because of file')
    // It is done, and told so.
    const again = await play(['resume', run])
    expect(again.status).toBe(4)
    expect(again.stderr).toContain('was gone on with already, by')
    expect((await play(['history'])).stdout).toMatch(new RegExp(`${run}.* interrupted; gone on with by \\d{4}-`))
    const finished = await play(['resume', 'last'])
    expect(finished.status).toBe(4)
    expect(finished.stderr).toContain('came to its end: there is nothing to go on with')
    expect(finished.stderr).toContain('play run slow --only failed,unreached')
  })

  it('leaves its reaction to the next run of any play, which does it once', async () => {
    const { folder, play } = await interrupted((pid) => process.kill(pid, 'SIGKILL'))
    writeFileSync(join(folder, 'go'), '')
    const next = await play(['run', 'other', '-e', `domain=${folder}`, '--wait-for-lock', '1m'])
    expect(next.status, next.stdout).toBe(0)
    expect(next.stdout).toMatch(/restart it +here\s+because of file \S+\/conf \(pending since \d{4}-/)
    const last = await play(['run', 'other', '-e', `domain=${folder}`])
    expect(last.stdout).not.toContain('restart it')
    expect(readFileSync(join(folder, 'restarts'), 'utf8')).toBe('restarted\n')
  })

  it('is turned round as far as it came', async () => {
    const { folder, play, run } = await interrupted((pid) => process.kill(pid, 'SIGKILL'))
    writeFileSync(join(folder, 'go'), '')
    const { status, stdout } = await play(['undo', run, '--yes', '--wait-for-lock', '1m'])
    expect(status, stdout).toBe(0)
    expect(existsSync(join(folder, 'conf'))).toBe(false)
    expect(stdout).toContain('What a command did cannot be turned round.')
  })
})

describe('a run that is interrupted', () => {
  it('finishes the task in hand after the first Ctrl-C, and is gone on with', async () => {
    const { folder, play, run, ended } = await interrupted((pid) => {
      process.kill(pid, 'SIGINT')
      setTimeout(() => writeFileSync(join(folderOf(pid), 'go'), ''), 200)
    })
    expect(ended.status).toBe(130)
    expect(existsSync(join(folder, 'waited'))).toBe(true)
    expect(existsSync(join(folder, 'last'))).toBe(false)
    const { stdout } = await play(['show', run])
    expect(stdout).toContain('The run did not come to its end.')
    expect(stdout).not.toContain('not known how it ended')
    const resumed = await play(['resume', run])
    expect(resumed.status, resumed.stdout).toBe(0)
    expect(readFileSync(join(folder, 'because'), 'utf8')).toBe('ran\n')
    expect(readFileSync(join(folder, 'once'), 'utf8')).toBe('ran\n')
    expect(existsSync(join(folder, 'last'))).toBe(true)
  })

  it('stops at once at the second, and the journal says what is not known', async () => {
    const { folder, play, run, ended } = await interrupted((pid) => {
      process.kill(pid, 'SIGINT')
      setTimeout(() => process.kill(pid, 'SIGINT'), 200)
    })
    expect(ended.status).toBe(130)
    expect(ended.stderr).toContain(`Go on: play resume ${run}`)
    expect((await play(['show', run])).stdout).toContain('not known how it ended: wait on here, by command wait')
    writeFileSync(join(folder, 'go'), '')
    const resumed = await play(['resume', run, '--wait-for-lock', '1m'])
    expect(resumed.status, resumed.stdout).toBe(0)
    expect(existsSync(join(folder, 'last'))).toBe(true)
  })
})

/** Where a process was started. */
function folderOf(pid: number): string {
  return readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .find((line) => line.startsWith('XDG_STATE_HOME='))!
    .slice('XDG_STATE_HOME='.length, -'/.state'.length)
}

it('keeps records for their owner alone', async () => {
  const { play, folder } = project()
  await play(['run', 'hello'])
  const [run = ''] = runsOf(folder)
  expect(statSync(join(folder, '.play/runs', run)).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, '.play/runs', run, 'journal.jsonl')).mode & 0o777).toBe(0o600)
})
