import { existsSync, readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { execConnection } from '../../connection/exec.ts'
import { type Project, project } from './project.ts'

const inventory = `import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'
export default inventory(fleet, {
  vars: { domain: 'd' }, groups: { web: { vars: { php: '8' } } },
  hosts: { here: { groups: ['web'], carrier: 'local' }, also: { groups: ['web'], carrier: { exec: ['env'] }, vars: { php: '9' } } },
})
`
const play = `import { file } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('out').hosts('web').tasks(({ vars }) => [file(vars.domain + vars.php).content('x')])
`
const files = { 'inventory/default.ts': inventory, 'plays/out.ts': play }

/** Another run, on the host that is this machine. */
async function other({ folder }: Project) {
  const connection = execConnection(['env', `FLEETPLAY_LOCK_DIR=${join(folder, '.lock')}`])
  onTestFinished(() => connection.close())
  await connection.open({ lock: { holder: 'alice@laptop, play web (run 1)', wait: 0 } })
  return connection
}

describe('a host on which another run works', () => {
  it('has failed: it was reached, and nothing was done there', async () => {
    const made = project(files)
    const out = join(made.folder, 'out')
    await other(made)
    const { status, stdout } = await made.play(['run', 'out', '-l', 'here', '-e', `domain=${out}`])
    expect(status).toBe(2)
    expect(stdout).toMatch(
      /failed\n  play out\s+here\n    Another run works on this host: alice@laptop, play web \(run 1\), since \d\d:\d\d UTC\.\n/,
    )
    expect(stdout).toContain('--wait-for-lock 5m')
    expect(stdout).toContain('failed 1')
    expect(existsSync(`${out}8`)).toBe(false)
  })

  it('is planned all the same, and a plan keeps no run out', async () => {
    const made = project(files)
    await other(made)
    const { status, stdout } = await made.play(['run', 'out', '--check', '-e', `domain=${made.folder}/out`])
    expect(status).toBe(0)
    expect(stdout).toContain('would change')
    expect(readFileSync(join(made.folder, '.lock/lock'), 'utf8')).toContain('alice@laptop')
  })

  it('is waited for by --wait-for-lock', async () => {
    const made = project(files)
    const out = join(made.folder, 'out')
    const running = await other(made)
    const args = ['run', 'out', '-l', 'here', '-e', `domain=${out}`, '--wait-for-lock', '1m', '--output', 'json']
    let closing: Promise<void> | undefined
    const ended = await made.play(args, {}, (text) => {
      if (text.includes('"type":"host-waiting"')) closing ??= running.close()
    })
    await closing
    expect(ended).toMatchObject({ status: 0, stderr: '' })
    const events = ended.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { readonly type: string })
    expect(events.filter(({ type }) => type === 'host-waiting')).toEqual([
      {
        version: 1,
        type: 'host-waiting',
        host: 'here',
        holder: 'alice@laptop, play web (run 1)',
        since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    ])
    expect(readFileSync(`${out}8`, 'utf8')).toBe('x')
  })
})

it('is waited for no more after Ctrl-C', async () => {
  const made = project(files)
  await other(made)
  let told = false
  const args = [
    'run',
    'out',
    '-l',
    'here',
    '-e',
    `domain=${made.folder}/out`,
    '--wait-for-lock',
    '1m',
    '--output',
    'json',
  ]
  const ended = await made.play(args, {}, (text, pid) => {
    if (told || !text.includes('"type":"host-waiting"')) return
    told = true
    process.kill(pid, 'SIGINT')
  })
  expect(ended.status).toBe(130)
  expect(ended.stdout).toContain('was stopped while it waited')
  expect(existsSync(join(made.folder, 'out8'))).toBe(false)
})

it('is held by a run that says who and what it is, once for a host with two names', async () => {
  const { folder, play } = project(files)
  const { status, stdout } = await play(['run', 'out', '-e', `domain=${folder}/out`])
  expect(status, stdout).toBe(0)
  const [, holder] = readFileSync(join(folder, '.lock/lock'), 'utf8').split('\n')
  const [, who, id] = /^(.*), process \d+, play out \(run (.*)\)$/.exec(holder!) ?? []
  expect(who).toBe(`${userInfo().username}@${hostname()}`)
  expect(existsSync(join(folder, '.play/runs', id!))).toBe(true)
})

it('takes durations only', async () => {
  const { play } = project(files)
  const { status, stderr } = await play(['run', 'out', '--wait-for-lock', '5'])
  expect(status).toBe(4)
  expect(stderr).toContain('It takes a duration such as 90s, 5m or 1h.')
})
