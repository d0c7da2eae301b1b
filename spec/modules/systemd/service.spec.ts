import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { aptPackage, file, group, systemdService, user } from '../../../index.ts'
import { directoryAt, fileAt } from '../../../modules/file.ts'
import { declaredUnit } from '../../../modules/systemd/declared-unit.ts'
import { ownedByRoot } from '../../../modules/systemd/unit.ts'
import { upTest } from '../../../modules/unit-control.ts'
import { unit, unitDetails, unitFrom } from '../../../modules/unit.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const path = '/etc/systemd/system/crm-sync.service'
const problems = (task: Task) => task.problems.map(({ message }) => message)
const worker = systemdService('crm-sync').runs(['/usr/bin/php', '/srv/crm/worker.php'])

describe('systemdService()', () => {
  it('is no task before it says what it runs', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = systemdService('crm-sync')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/does not say what it runs: runs\(\)/)
  })

  it('writes the unit, enables and starts it, and changes nothing the second time', async () => {
    const host = mockHost('web1')
    const tasks = [
      user('crm').system(),
      worker
        .as('crm')
        .restarts('on-failure', { after: '5s' })
        .limits({
          memoryMax: '256MiB',
          tasksMax: 64,
          cpuQuota: '50%',
          timeoutStart: '30s',
          timeoutStop: '90s',
          runtimeMax: '1d',
        })
        .environment({ ENDPOINT: "https://crm.example/it's" })
        .environment({ RATE: '5%' })
        .environmentFile('/etc/crm/worker.env')
        .workingDirectory('/srv')
        .section('Unit', { After: 'network-online.target', Wants: 'network-online.target' }),
    ]
    const { changes, reactions } = await run(tasks, host)
    expect(changes.slice(1).map(({ label, before, after }) => [label, before, after])).toEqual([
      [path, 'absent', '25 lines 0644 root:root'],
      ['crm-sync.service', 'disabled, inactive', 'enabled, active'],
    ])
    expect(reactions).toEqual([])
    expect(host.holds(fileAt(path))).toMatchObject({
      mode: '0644',
      content: {
        text: `# Managed by fleetplay: changes made here are overwritten.
[Unit]
Description=crm-sync
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=/usr/bin/php /srv/crm/worker.php
User=crm
Restart=on-failure
RestartSec=5s
MemoryMax=256M
TasksMax=64
CPUQuota=50%
TimeoutStartSec=30s
TimeoutStopSec=90s
RuntimeMaxSec=1d
Environment="ENDPOINT=https://crm.example/it's"
Environment=RATE=5%%
EnvironmentFile=/etc/crm/worker.env
WorkingDirectory=/srv

[Install]
WantedBy=multi-user.target
`,
      },
    })
    expect((await run(tasks, host)).recap.tasks).toMatchObject({ ok: 2, changed: 0 })
  })

  it('is hardened, but for the paths that it writes', async () => {
    const host = mockHost('web1')
    await run(worker.hardened({ writes: ['/var/lib/crm', '/srv/a b%'] }), host)
    const { content } = host.holds(fileAt(path)) as { content: { text: string } }
    expect(content.text).toContain('\nProtectSystem=strict\n')
    expect(content.text).toContain('\nNoNewPrivileges=yes\nCapabilityBoundingSet=\n')
    expect(content.text).toContain('\nReadWritePaths=/var/lib/crm\nReadWritePaths="/srv/a b%%"\n')
  })

  it('takes a setting of its own for one of ours that says nothing else', async () => {
    const host = mockHost('web1')
    await run(worker.section('Service', { Type: 'notify', Nice: 10 }), host)
    expect(host.holds(fileAt(path))).toMatchObject({
      content: { text: expect.stringContaining('[Service]\nType=notify\nExecStart') as string },
    })
  })

  it('tells in the plan that what runs is restarted', async () => {
    const host = mockHost('web1')
    await run(worker, host)
    const other = worker.limits({ tasksMax: 8 })
    const [told] = (await run(other, host, { check: true })).tasks
    expect(told!.notes).toEqual(['crm-sync.service is restarted, since its unit changes.'])
    expect(told!.changes.map(({ label }) => label)).toEqual([path])
    const [stopped] = (await run(other.stopped(), host)).tasks
    expect(stopped!.notes).toEqual([])
    expect(stopped!.changes.map(({ after }) => after)).toEqual(['disabled, inactive', '11 lines 0644 root:root'])
  })

  it('neither enables nor starts a oneshot, and stops what ran before', async () => {
    const host = mockHost('web1')
    await run(worker, host)
    const { changes } = await run(worker.oneshot().limits({ timeoutStart: '5m' }), host)
    expect(changes.map(({ after }) => after)).toEqual(['disabled, inactive', '8 lines 0644 root:root'])
    expect((await run(worker.oneshot().limits({ timeoutStart: '300s' }), host)).recap.tasks).toMatchObject({ ok: 1 })
  })

  it('leaves a oneshot without what would enable it, unless that is said', async () => {
    const textOf = async (task: Task) => {
      const host = mockHost('web1')
      await run(task, host)
      return (host.holds(fileAt(path)) as { content: { text: string } }).content.text
    }
    expect(await textOf(worker.oneshot())).toBe(`# Managed by fleetplay: changes made here are overwritten.
[Unit]
Description=crm-sync

[Service]
Type=oneshot
ExecStart=/usr/bin/php /srv/crm/worker.php
`)
    const said = worker
      .section('Unit', { Description: 'Sends to the CRM' })
      .section('Install', { Alias: 'crm.service' })
    expect(await textOf(said.oneshot())).toMatch(
      /^Description=Sends to the CRM\n[^]*\n\[Install\]\nAlias=crm.service\n$/m,
    )
  })

  it('has a description that ends its line, whatever its name', async () => {
    const host = mockHost('web1')
    await run(systemdService('crm\\').runs('/bin/true'), host)
    expect(host.holds(fileAt('/etc/systemd/system/crm\\.service'))).toMatchObject({
      content: { text: expect.stringContaining('\nDescription=crm\\.service\n') as string },
    })
  })

  it('stops and disables it before its file goes', async () => {
    const host = mockHost('web1')
    await run(worker, host)
    host.has(unitFrom('crm-sync.service', path), { enabled: 'enabled', active: true })
    const { changes } = await run(systemdService('crm-sync').absent(), host)
    expect(changes.map(({ after }) => after)).toEqual(['stopped and disabled', 'absent'])
  })

  it('notes that it hides the unit of a package', async () => {
    const fragment = '/usr/lib/systemd/system/crm-sync.service'
    const host = mockHost('web1').has(unitDetails('crm-sync.service'), {
      ...unitDetails('crm-sync.service').fresh!,
      fragment,
    })
    const [told] = (await run(worker, host, { check: true })).tasks
    expect(told!.notes).toEqual([`It hides all of ${fragment}; systemdDropIn() changes single settings of it.`])
  })

  it('refuses in the plan what the host lacks, and a unit that is masked', async () => {
    const refused = async (task: Task, host = mockHost('web1')) =>
      (await run(task, host, { check: true })).tasks.map(({ failure }) => [failure?.message, failure?.hint])
    expect(await refused(worker.as('crm'))).toEqual([
      ['The user crm does not exist on this host.', "Make it in an earlier task: user('crm')"],
    ])
    expect(await refused(worker.as('daemon', 'crm'))).toEqual([
      ['The group crm does not exist on this host.', "Make it in an earlier task: group('crm')"],
    ])
    const host = mockHost('web1').has(directoryAt('/srv/crm'), { type: 'absent' })
    expect(await refused(worker.workingDirectory('/srv/crm'), host)).toMatchObject(
      [[/working directory \/srv\/crm/, /directory\(/]].map(([a, b]) => [
        expect.stringMatching(a!) as string,
        expect.stringMatching(b!) as string,
      ]),
    )
    const bare = mockHost('web1').has(fileAt('/usr/bin/nope'), { type: 'absent' })
    expect(await refused(systemdService('crm-sync').runs(['/usr/bin/nope']), bare)).toEqual([
      [
        'The program /usr/bin/nope does not exist on this host.',
        'Bring it in an earlier task: aptPackage(…), or file(…) with the mode 0755.',
      ],
    ])
    expect(await refused(systemdService('crm-sync').runs('-/usr/bin/nope'), bare)).toEqual([[undefined, undefined]])
    const masked = mockHost('web1').has(unit('crm-sync.service'), { enabled: 'masked', active: false })
    expect(await refused(worker, masked)).toEqual([
      ['crm-sync.service is masked: somebody wants that nothing starts it.', 'systemctl unmask crm-sync.service'],
    ])
  })

  it('waits for a user and a group that earlier tasks make', async () => {
    const tasks = [group('crm'), user('crm').system(), worker.as('crm', 'crm')]
    expect((await run(tasks, mockHost('web1'), { check: true })).recap.tasks).toMatchObject({ failed: 0, changed: 3 })
  })

  it('puts back the unit of a service that does not come up, also where there was none', async () => {
    const host = mockHost('web1').has(unit('crm-sync.service'), null)
    host.fails(upTest('crm-sync.service'), { stderr: 'crm-sync.service was started, but is failed a moment later.' })
    const [told] = (await run(worker, host)).tasks
    expect(told!.failure?.message).toMatch(
      /^start of crm-sync\.service failed after 2 changes, and they were put back: /,
    )
    expect(told!.changes).toEqual([])
    expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
    expect(host.holds(unit('crm-sync.service'))).toBe(null)
  })

  it('waits for a program that an earlier task writes, or may bring', async () => {
    const path = '/usr/local/bin/crm-sync'
    const service = systemdService('crm-sync').runs([path])
    for (const earlier of [file(path).content('#!/bin/sh\nexec sleep 1000\n').mode('0755'), aptPackage('crm-sync')]) {
      const host = mockHost('web1').has(fileAt(path), { type: 'absent' })
      expect((await run([earlier, service], host, { check: true })).recap.tasks).toMatchObject({
        failed: 0,
        changed: 2,
      })
      expect((await run([service, earlier], host, { check: true })).recap.tasks).toMatchObject({ failed: 1 })
    }
  })

  it.each<[Task, RegExp]>([
    [systemdService('a b').absent(), /not the name of a unit/],
    [systemdService('a.timer').absent(), /a\.timer is not the name of a service/],
    [systemdService('a@').absent(), /template, which nothing can run/],
    [systemdService('a').runs('worker | tee'.replace('worker', './worker')), /runs: "\.\/worker" is not a program/],
    [
      systemdService('a').runs('worker.sh | tee x'),
      /runs: there is no shell, so "\|" means nothing like it: put it into/,
    ],
    [worker.as('no such'), /as: "no such" is not a name/],
    // @ts-expect-error -- one of systemd's policies
    [worker.restarts('sometimes'), /restarts: "sometimes" is none of no on-failure/],
    // @ts-expect-error -- a duration has a unit
    [worker.restarts('always', { after: '5' }), /restarts: "5" is not a duration/],
    [worker.limits({ timeoutStart: '0s' }), /limits: "0s" is no time at all/],
    [worker.limits({ tasksMax: 0.5 }), /limits: tasksMax takes a whole number from 1, not 0.5/],
    [worker.limits({ memoryMax: 0 }), /limits: nothing runs in 0 bytes/],
    // A host on which it was tried hung for ever.
    [worker.limits({ memoryMax: '1KiB' }), /limits: memoryMax: nothing runs in "1KiB": it takes 1 MiB and more/],
    [worker.limits({ memoryMax: 1024 ** 2 - 1 }), /limits: memoryMax: nothing runs in 1048575: it takes 1 MiB/],
    [worker.limits({ tasksMax: 0 }), /limits: tasksMax takes a whole number from 1, not 0/],
    [worker.limits({ cpuQuota: '0%' }), /limits: cpuQuota takes a share of a processor such as 50%, not "0%"/],
    [worker.environment({ 'A B': 'x' }), /environment: "A B" is not the name of a variable/],
    [worker.environment({ CRM_API_KEY: 'x' }), /environment: CRM_API_KEY would be readable by everybody/],
    [worker.environment({ DB_PASS: 'x' }), /environment: DB_PASS would be readable by everybody/],
    [worker.environment({ CRM: 'https://a:hush@crm/' }), /environment: CRM would be readable by everybody/],
    [
      worker.runs(['/usr/bin/php', 'sync.php', '--token=hush']),
      /runs: \[Service\] ExecStart: a password or token would be/,
    ],
    [
      worker.section('Unit', { Description: 'x' }).section('Service', { SetCredential: 'a:hush' }),
      /SetCredential: a password or token/,
    ],
    [worker.workingDirectory('srv'), /workingDirectory: the path "srv" must be absolute/],
    [worker.workingDirectory('/srv\nUser=root'), /workingDirectory: \[Service\] WorkingDirectory: a value is one line/],
    [worker.workingDirectory('/srv '), /ends in a blank/],
    [worker.environmentFile('.env'), /environmentFile: the path ".env" must be absolute/],
    [worker.hardened({ writes: ['tmp'] }), /hardened: the path "tmp" must be absolute/],
    [worker.section('Service', { ExecStart: '/bin/x' }), /says ExecStart twice: by section\(\) and by its own word/],
    [worker.section('Service', { MemoryMax: '1G' }).limits({ memoryMax: '1GiB' }), /says MemoryMax twice/],
    [worker.oneshot().stopped(), /is a oneshot, which is never running/],
    [worker.oneshot().restarts('always'), /is a oneshot, which systemd does not restart/],
    [worker.oneshot().limits({ runtimeMax: '5s' }), /runtimeMax has no effect: timeoutStart limits it/],
    [worker.absent(), /cannot be absent and be something/],
  ])('tells wrong input before any connection: %#', (task, message) => {
    expect(problems(task)).toEqual([expect.stringMatching(message)])
  })
})

describe('what changes the unit on the host', () => {
  const text = '[Service]\nExecStart=/bin/x\n'
  const place = declaredUnit('crm-sync.service', text, { restarts: true })
  const older = ownedByRoot('[Service]\nExecStart=/bin/y\n')

  it('has systemd check what is declared, and not what is put back', () => {
    expect(place.write!(ownedByRoot(text), older).text).toContain('systemd-analyze verify --man=no "$p"')
    expect(place.write!(older, ownedByRoot(text)).text).not.toContain('verify')
  })

  it('restarts only what is declared to run', () => {
    expect(place.write!(ownedByRoot(text), older).text).toContain('go restart "$u" && settle "$u"')
    const resting = declaredUnit('crm-sync.service', text, { restarts: false })
    expect(resting.write!(ownedByRoot(text), older).text).not.toContain('go restart "$u"')
  })

  it('leaves a mode that is not the wished one until systemd has accepted the file', () => {
    const { text: script, words, touched, input } = place.write!(ownedByRoot(text), { type: 'absent' })
    expect(script).toContain('chmod -- 0664 /proc/self/fd/4')
    expect(script.trimEnd().split('\n').at(-1)).toBe('rm -f -- "$kept" && chmod -- 0644 "$p"')
    expect(words).toBe(`write ${path}; systemctl daemon-reload`)
    expect(touched).toEqual(['unit:crm-sync.service', 'unit:crm-sync.service/*', 'file:/etc/systemd/system/'])
    expect(input?.toString()).toBe(text)
  })

  it('forgets a failure of what it removes', () => {
    const { text: script } = place.write!({ type: 'absent' }, ownedByRoot(text))
    expect(script).toContain('systemctl daemon-reload || exit\nsystemctl reset-failed -- crm-sync.service')
  })
})
