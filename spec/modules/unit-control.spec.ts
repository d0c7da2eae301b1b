import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { reload, restart } from '../../modules/service.ts'
import { unit } from '../../modules/unit.ts'
import type { Script } from '../../shell/script.ts'
import { Folder, shells } from '../connection/shells.ts'

/**
 * A systemctl of paper: `show` prints the next file of properties, the last one again and again; other verbs print and end as
 * they are told. What systemd says in these was seen on Debian 12 and sid.
 */
class Paper {
  readonly folder: Folder

  constructor(folder: Folder) {
    this.folder = folder
    folder.program(
      'systemctl',
      `cd ${folder.path}
printf '%s\\n' "$*" >>calls
case $1 in
  show) n=$(cat at); [ ! -e "show.$((n + 1))" ] || echo $((n + 1)) >at; cat "show.$n" ;;
  *) [ ! -e "fail.$1" ] || { cat "fail.$1" >&2; rm "fail.$1"; exit 1; } ;;
esac`,
    )
    // With Restart=always, systemd has begun the next start when its journal is read.
    folder.program(
      'journalctl',
      `case $* in
  *--sync*) ;;
  *' --since=@'[0-9]*) echo 'Starting x.service - X...
config: line 3: no such directive
x.service: Main process exited, code=exited, status=1/FAILURE
Failed to start x.service - X.
x.service: Scheduled restart job, restart counter is at 1.
Stopped x.service - X.
Starting x.service - X...' ;;
esac`,
    )
    folder.program('sleep', ':')
  }

  run(script: Script, shows: readonly Record<string, string>[], fails: Readonly<Record<string, string>> = {}) {
    const write = (name: string, text: string) => writeFileSync(join(this.folder.path, name), text)
    const remove = ['sh', '-c', `cd "$1" && rm -f show.* fail.* calls`, 'sh', this.folder.path]
    spawnSync(remove[0]!, remove.slice(1))
    write('at', '0')
    shows.forEach((show, i) =>
      write(
        `show.${i}`,
        Object.entries(show)
          .map(([k, v]) => `${k}=${v}\n`)
          .join(''),
      ),
    )
    for (const [verb, words] of Object.entries(fails)) write(`fail.${verb}`, `${words}\n`)
    const env = { ...process.env, PATH: `${this.folder.path}:${process.env['PATH']}`, LC_ALL: 'C' }
    const { status, stderr } = spawnSync(join(this.folder.path, 'sh'), ['-c', script.text], { env, encoding: 'utf8' })
    const calls = readFileSync(join(this.folder.path, 'calls'), 'utf8').split('\n').filter(Boolean)
    return {
      status,
      stderr: stderr.trimEnd().split('\n'),
      verbs: calls.map((call) => call.replace(/ --.*$/, '')).filter((verb) => verb !== 'show'),
    }
  }
}

const dead = {
  InvocationID: 'a',
  ActiveState: 'inactive',
  SubState: 'dead',
  Result: 'success',
  Type: 'simple',
  NeedDaemonReload: 'no',
}
const up = {
  ...dead,
  InvocationID: 'b',
  ActiveState: 'active',
  SubState: 'running',
}
const failed = { ...up, ActiveState: 'failed', SubState: 'failed', Result: 'exit-code' }
const start = unit('x.service').write!({ enabled: 'static', active: true }, { enabled: 'static', active: false })
const refused = `Job for x.service failed because the control process exited with error code.
See "systemctl status x.service" and "journalctl -xeu x.service" for details.`

describe.each(shells)('$title', ({ name, there }) => {
  let paper: Paper
  beforeAll(() => {
    paper = new Paper(new Folder(name))
  })
  afterAll(() => paper.folder.remove())

  it.runIf(there)('starts a unit that stays up', () => {
    expect(paper.run(start, [dead, up])).toEqual({ status: 0, stderr: [''], verbs: ['start'] })
  })

  it.runIf(there)('forgives what failed before, whose result systemd keeps when it refuses one more start', () => {
    expect(
      paper.run(start, [
        { ...failed, Type: 'forking' },
        { ...up, Type: 'forking' },
      ]).verbs,
    ).toEqual(['reset-failed', 'start'])
  })

  it.runIf(there)('tries once more where a unit that was well was started too often', () => {
    const shows = [up, { ...failed, Result: 'start-limit-hit' }, { ...up, InvocationID: 'c' }]
    const again = paper.run(restart('x').script, shows, { restart: 'Job for x.service failed.' })
    expect(again).toMatchObject({ status: 0, verbs: ['restart', 'reset-failed', 'restart'] })
  })

  it.runIf(there)(
    'tells a failed start by the unit’s own words, whatever systemd did since, and by systemctl, last the sentence that matters',
    () => {
      const told = paper.run(start, [dead, { ...failed, Type: 'notify' }], { start: refused })
      expect(told.status).toBe(1)
      expect(told.stderr).toEqual(['config: line 3: no such directive', refused.split('\n')[0]])
    },
  )

  it.runIf(there)('sees a simple service fall that systemctl says has started', () => {
    const told = paper.run(start, [dead, up, failed])
    expect(told.status).toBe(1)
    expect(told.stderr.at(-1)).toBe('x.service was started, but is failed a moment later (failed, exit-code).')
  })

  it.runIf(there)('sees a service that falls and is started again and again', () => {
    const told = paper.run(start, [dead, up, { ...up, InvocationID: 'c' }])
    expect(told.stderr.at(-1)).toMatch(/starts it again and again/)
  })

  it.runIf(there)('has changed unit files read before a restart', () => {
    const shows = [
      { ...up, NeedDaemonReload: 'yes' },
      { ...up, InvocationID: 'c' },
    ]
    expect(paper.run(restart('x').script, shows).verbs).toEqual(['daemon-reload', 'restart'])
  })

  it.runIf(there)('does not believe a restart after which the unit runs as before', () => {
    const told = paper.run(restart('x').script, [up])
    expect(told.status).toBe(1)
    expect(told.stderr.at(-1)).toMatch(/yet the unit runs as before/)
  })

  it.runIf(there)('takes a oneshot for restarted that has ended well, and is forgotten', () => {
    const ended = { ...dead, InvocationID: '', Type: 'oneshot', RemainAfterExit: 'no' }
    expect(paper.run(restart('x').script, [ended])).toMatchObject({ status: 0, verbs: ['restart'] })
    expect(
      paper.run(restart('x').script, [ended, { ...ended, Result: 'exit-code', ActiveState: 'failed' }]).status,
    ).toBe(1)
  })

  it.runIf(there)('reloads what runs, leaves what does not, and tells a reload that went wrong', () => {
    expect(paper.run(reload('x').script, [{ ...up, ReloadResult: 'success' }])).toMatchObject({
      status: 0,
      verbs: ['reload'],
    })
    expect(paper.run(reload('x').script, [dead])).toMatchObject({ status: 0, verbs: [] })
    expect(paper.run(reload('x').script, [{ ...up, ReloadResult: 'exit-code' }]).stderr.at(-1)).toBe(
      'The reload ended with exit-code.',
    )
    const shows = [
      { ...up, ReloadResult: 'success' },
      { ...up, ReloadResult: 'success', InvocationID: 'c' },
    ]
    expect(paper.run(reload('x').script, shows).stderr.at(-1)).toMatch(/start it anew/)
  })
})
