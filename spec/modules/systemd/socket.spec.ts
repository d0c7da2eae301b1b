import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { isProblem } from '../../../dsl/variable.ts'
import { sysctl, systemdSocket } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { kernelParameter } from '../../../modules/kernel-parameter.ts'
import { listeningSocket, type SocketState, streamAddress, taken } from '../../../modules/listening-socket.ts'
import { unit, unitDetails } from '../../../modules/unit.ts'
import { control } from '../../../modules/unit-control.ts'
import type { Probe } from '../../../probe/probe.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'

const place = listeningSocket('app.socket', 'app.service')
const file = { mode: '0660', owner: 'www-data', group: 'www-data' }
const listening: SocketState = { enabled: 'enabled', listening: { '/run/app.sock': { backlog: 4096, file } } }
const app = systemdSocket('app').listenStream('/run/app.sock').owner('www-data').mode('0660')
const problems = (task: Task) => task.problems.map(({ message }) => message)

/** A value from what a host really printed; `change` is what happened to the host since. */
function read<T>(probe: Probe<T>, asked: readonly string[], image: string, change = (text: string) => text): T {
  const text = (name: string) =>
    change(readFileSync(new URL(`../../fixtures/systemd/${name}-${image}.out`, import.meta.url), 'utf8'))
  const answers = probe.questions.map(({ collector, asked: question }) => {
    const name = collector.name === 'unit' ? 'units' : 'listeners'
    const questions = collector.name === 'unit' ? asked : [null]
    const found = collector.answers({ status: 0, stdout: Buffer.from(text(name)), stderr: '' }, questions)
    return found[questions.indexOf(question as never)]
  })
  return probe.parse(answers)
}

describe.each(['bookworm', 'sid'])('what a socket unit listens on, on %s', (image) => {
  const drift = listeningSocket('tdrift.socket', 'tdrift.service').read
  const asked =
    'ngnix.service ssh.service sshd.service nginx.service mysql.service systemd-journald.service tone.service redis-server.service tdrift.socket late.service sealed.service'.split(
      ' ',
    )
  const tcp = { backlog: 65_536, file: null }

  it('is what the kernel has; a backlog that was cut to somaxconn counts as what was asked for', () => {
    expect(read(drift, asked, image)).toEqual({
      enabled: 'enabled',
      listening: {
        '/run/t drift.sock': { backlog: 65_536, file: { mode: '0660', owner: 'www-data', group: 'www-data' } },
        '[::]:8099': tcp,
        '127.0.0.1:8098': tcp,
        '[::1]:8097': tcp,
        '@tdrift': tcp,
      },
    })
  })

  it('keeps the backlog of its opening where somaxconn was raised later', () => {
    const raised = read(drift, asked, image, (text) => text.replace(/^4096\n/, '65536\n'))
    expect(raised?.listening['[::]:8099']).toEqual({ backlog: 4096, file: null })
  })

  it('has the mode of the inode, not the one of a file that was read again', () => {
    const changed = read(drift, asked, image, (text) => text.replace('c1b0 660 www-data 33', 'c180 600 www-data 33'))
    expect(changed?.listening['/run/t drift.sock']?.file?.mode).toBe('0600')
  })

  it('does not have a path that was unlinked, though ss still lists it', () => {
    const unlinked = read(drift, asked, image, (text) => text.replace(/^c1b0 .*t drift.sock\n/m, ''))
    expect(Object.keys(unlinked?.listening ?? {})).toEqual(['[::]:8099', '127.0.0.1:8098', '[::1]:8097', '@tdrift'])
  })

  it('is nothing where the unit is inactive, and null where there is none', () => {
    expect(read(listeningSocket('sealed.service', 'x.service').read, asked, image)).toEqual({
      enabled: 'masked',
      listening: {},
    })
    expect(read(listeningSocket('ngnix.service', 'x.service').read, asked, image)).toBeNull()
  })

  it('tells which addresses are taken', () => {
    expect(read(taken('/run/t drift.sock').read, asked, image)).toBe(true)
    expect(read(taken('/run/none.sock').read, asked, image)).toBe(false)
  })
})

describe('streamAddress()', () => {
  it.each([
    ['/run/a b.sock', '/run/a b.sock'],
    ['@name', '@name'],
    [8080, '[::]:8080'],
    ['8080', '[::]:8080'],
    ['127.0.0.1:80', '127.0.0.1:80'],
    ['[0:0::1]:80', '[::1]:80'],
  ])('%j is %s', (address, canonical) => {
    expect(streamAddress(address)).toBe(canonical)
  })

  it.each([
    '',
    'run/x',
    '/',
    '0',
    65_536,
    'localhost:80',
    '1.2.3:80',
    '[::x]:80',
    '::1:80',
    '/run/x\n',
    `/${'a'.repeat(107)}`,
  ])('refuses %j', (address) => {
    expect(isProblem(streamAddress(address))).toBe(true)
  })
})

describe('systemdSocket()', () => {
  it('is no task before it has an address', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = systemdSocket('app')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(/no address to listen on/)
  })

  it('tells wrong input before any connection', () => {
    expect(problems(systemdSocket('app.service').absent())).toEqual(['app.service is not the name of a socket unit'])
    expect(problems(systemdSocket('app').listenStream('x'))).toEqual([
      expect.stringMatching(/^listenStream: "x" is not an address/),
    ])
    expect(problems(app.mode('0999' as never))).toHaveLength(1)
    expect(problems(app.owner('33'))).toEqual(['owner: "33" is not the name of a user or group'])
    expect(problems(app.backlog(0))).toHaveLength(1)
    expect(problems(app.service('x.timer'))).toEqual(['x.timer is not a service'])
  })

  it('writes the unit, enables it and listens, and then is at rest', async () => {
    const host = mockHost('web1')
    const result = await run(app.backlog(512), host)
    expect(result.recap.tasks).toMatchObject({ changed: 1, failed: 0 })
    expect(host.holds(fileAt('/etc/systemd/system/app.socket'))).toMatchObject({
      content: {
        text: `[Unit]
Description=Socket of app.service

[Socket]
ListenStream=/run/app.sock
SocketUser=www-data
SocketGroup=www-data
SocketMode=0660
Backlog=512

[Install]
WantedBy=sockets.target
`,
      },
    })
    expect(host.holds(place)).toEqual({ enabled: 'enabled', listening: { '/run/app.sock': { backlog: 512, file } } })
    expect((await run(app.backlog(512), host)).recap.tasks).toMatchObject({ ok: 1, changed: 0 })
    expect((await run(systemdSocket('app').absent(), host)).recap.tasks).toMatchObject({ changed: 1, failed: 0 })
    expect(host.holds(fileAt('/etc/systemd/system/app.socket')).type).toBe('absent')
  })

  it('names a service that is called otherwise, and doubles a percent sign', () => {
    const [wish] = systemdSocket('app')
      .listenStream('/run/a%b')
      .service('other')
      .wishes.filter((w) => w.resource.key.startsWith('file:'))
    const text = (wish!.desired({ type: 'absent' }, { user: 'root', group: 'root' }) as { content: { text: string } })
      .content.text
    expect(text).toContain('ListenStream=/run/a%%b\n')
    expect(text).toContain('Service=other.service\n')
  })

  it('announces the window where the service runs', async () => {
    const host = mockHost('web1').has(unit('app.service'), { enabled: 'enabled', active: true })
    const [told] = (await run(app, host, { check: true })).tasks
    expect(told!.notes).toEqual([expect.stringMatching(/^app.service is stopped while the address changes hands/)])
  })

  it("tells the backlog that is cut, with the host's number, and not where it fits", async () => {
    const small = mockHost('web1').has(kernelParameter('net.core.somaxconn'), '4096')
    const [told] = (await run(app.backlog(65_536), small, { check: true })).tasks
    expect(told!.notes).toEqual(["The kernel cuts the backlog of 65536 to 4096, this host's net.core.somaxconn."])
    const raised = [sysctl('99-backlog').set('net.core.somaxconn', 65_536), app.backlog(65_536)]
    expect((await run(raised, small, { check: true })).tasks[1]!.notes).toEqual([])
  })

  it('opens a socket anew whose limit an earlier task raises', async () => {
    const host = mockHost('web1').has(kernelParameter('net.core.somaxconn'), '4096')
    await run(app, host)
    const raised = [sysctl('99-backlog').set('net.core.somaxconn', 65_536), app]
    const plan = await run([raised[0]!, app.backlog(8192)], host, { check: true })
    expect(plan.changes.find(({ key }) => key === place.key)?.dependsOn).toEqual(['sysctl 99-backlog'])
  })

  it('leaves the file as it was where systemd could not open the socket: by then the old one would be closed', async () => {
    const { guard } = app.wishes.find((wish) => wish.guard)!
    const host = mockHost('web1')
    await run(app, host)
    const before = host.holds(fileAt('/etc/systemd/system/app.socket'))
    const said = 'There is no user nosuch on this host, to own the socket.'
    const moved = app.owner('nosuch')
    host.fails(moved.wishes.find((wish) => wish.guard)!.guard!, { stderr: `${said}\n` })
    expect(moved.wishes.find((wish) => wish.guard)!.guard!.key).not.toBe(guard!.key)
    const [told] = (await run(moved, host)).tasks
    expect(told!.failure).toMatchObject({
      code: 'E_GUARD',
      message: `test of app.socket failed after /etc/systemd/system/app.socket, and it was put back: ${said}`,
    })
    expect(host.holds(fileAt('/etc/systemd/system/app.socket'))).toEqual(before)
    expect(host.holds(place)).toEqual(listening)
  })

  it('refuses a service that the host does not know', async () => {
    const host = mockHost('web1').has(unit('app.service'), null)
    const [told] = (await run(app, host, { check: true })).tasks
    expect(told!.failure?.message).toMatch(/systemd knows no unit app.service/)
  })

  describe('for php-fpm as its package brings it', () => {
    const php = systemdSocket('php8.2-fpm').listenStream('/run/php/php8.2-fpm.sock')
    const details = { ...unitDetails('php8.2-fpm.service').fresh!, fragment: '/lib/systemd/system/php8.2-fpm.service' }
    const host = () => mockHost('web1').has(unitDetails('php8.2-fpm.service'), details)

    it('notes that nobody answers', async () => {
      const [told] = (await run(php, host(), { check: true })).tasks
      expect(told!.notes).toEqual([expect.stringMatching(/FPM_SOCKETS.*Nobody answers/)])
    })

    it('refuses the address that it has opened itself: it would not start again', async () => {
      const running = host()
        .has(unit('php8.2-fpm.service'), { enabled: 'enabled', active: true })
        .has(taken('/run/php/php8.2-fpm.sock'), true)
      const [told] = (await run(php, running, { check: true })).tasks
      expect(told!.failure?.message).toMatch(/would not start again while systemd has \/run\/php\/php8.2-fpm.sock/)
    })

    it('says nothing where it has settings of its own, or was given some that systemd has not read', async () => {
      for (const more of [{ dropIns: ['/etc/systemd/system/php8.2-fpm.service.d/s.conf'] }, { stale: true }]) {
        const given = mockHost('web1').has(unitDetails('php8.2-fpm.service'), { ...details, ...more })
        expect((await run(php, given, { check: true })).tasks[0]!.notes).toEqual([])
      }
    })
  })
})

describe('the hand-over', () => {
  const text = (to: SocketState, from: SocketState) => place.write!(to, from).text.replace(`${control.text}\n`, '')

  it('enables before the window, stops the service, opens the socket, starts the service; and goes back where it does not come up', () => {
    expect(
      text(listening, null),
    ).toBe(`systemctl --quiet enable -- app.socket && fresh app.socket && fresh app.service || exit
restore() { systemctl start -- app.service 2>/dev/null; }
back=
case $(systemctl show --property=ActiveState --value -- app.service) in
  inactive | failed) ;;
  *)
    back=yes
    trap 'restore; exit 1' HUP INT TERM
    systemctl stop -- app.service || exit ;;
esac
go restart app.socket || {
  (words app.socket)
  [ -z "$back" ] || restore
  exit 1
}
[ -n "$back" ] || exit 0
go start app.service && settle app.service && exit 0
(words app.service)
systemctl disable --now -- app.socket 2>/dev/null
systemctl reset-failed -- app.socket app.service 2>/dev/null
restore
exit 1`)
  })

  it('opens no window for what happens at boot', () => {
    expect(text(listening, { ...listening, enabled: 'disabled' })).toBe('systemctl --quiet enable -- app.socket')
    expect(text({ ...listening, enabled: 'disabled' }, listening)).toBe('systemctl --quiet disable -- app.socket')
  })

  it('gives the address back', () => {
    expect(text({ enabled: 'disabled', listening: {} }, listening)).toMatch(
      /systemctl disable --now -- app.socket \|\| exit\n\[ -z "\$back" \]/,
    )
  })
})
