/** What daemons refuse, or would only log: told in their own words, with the play's line, and nothing of it left on the host. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { opcache, phpFpm, phpIni, resolved, sysctl, systemdDropIn, systemdSocket, systemdUnit } from '../../index.ts'
import { play } from '../../testing/trial-run.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { type Lab, labHosts } from './hosts.ts'

describe.each([
  { image: 'sid', php: '8.4' },
  { image: 'bookworm', php: '8.2' },
] as const)('a refusal on $image', ({ image, php }) => {
  const name = `refuse-${image}`
  let lab: Lab<string>
  let host: RemoteHost

  beforeAll(async () => {
    lab = await labHosts(image, [name])
    host = new RemoteHost(name, () => connectLab(lab, lab.hosts[name]!), { become: 'sudo', becomePassword: undefined })
    await on(`systemctl start nginx php${php}-fpm systemd-resolved`)
  })
  afterAll(async () => {
    await host?.close()
    await lab?.close()
  })

  /** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
  async function on(command: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await lab.hosts[name]!.ssh(command, { input })
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  /** Why a task could not be done; and that all of this is then as it was. */
  async function refusal(task: Task, untouched: string): Promise<string> {
    const before = await on(untouched)
    const { failure, events } = await play(task, host)
    expect(await on(untouched)).toBe(before)
    const [told] = events.filter((event) => event.type === 'task')
    expect(told).toMatchObject({
      outcome: 'failed',
      task: { place: { file: expect.stringMatching(/refusals\.spec\.ts$/) } },
    })
    return failure ?? 'none'
  }

  async function done(task: Task): Promise<void> {
    expect((await play(task, host)).failure).toBeUndefined()
    expect((await play(task, host)).changes).toEqual([])
  }

  describe('of the kernel', () => {
    const file = '/etc/sysctl.d/60-lab.conf'
    const limits = sysctl('60-lab').set('net.core.rmem_default', '1MiB', 'Room; for a burst')
    const look = `cat ${file}; sysctl -n net.core.rmem_default net.ipv4.neigh.default.gc_thresh1 kernel.osrelease`

    it('a number that is too large (EINVAL) gets into no file', async () => {
      await done(limits.set('net.ipv4.neigh.default.gc_thresh1', 256))
      expect(await refusal(limits.set('net.ipv4.neigh.default.gc_thresh1', 2 ** 32), look)).toMatch(
        /The kernel refused "4294967296" for net\.ipv4\.neigh\.default\.gc_thresh1: tee: .*Invalid argument/,
      )
    })

    it('a read-only key, for which sysctl of procps 4.0.2 ends with 0, is refused in the plan', async () => {
      expect(await refusal(limits.set('kernel.osrelease', '9.9'), look)).toMatch(
        /^kernel\.osrelease is 7\.\S+ and read-only\./,
      )
    })

    it('fewer values, which it would take for the first ones, are refused in the plan', async () => {
      expect(await refusal(limits.set('net.ipv4.ping_group_range', 7), look)).toMatch(
        /^net\.ipv4\.ping_group_range has 2 values \(1 0\), and the play gives 1\./,
      )
    })

    it('none at boot: systemd-sysctl is content with the file', async () => {
      await on('sysctl -qw net.core.rmem_default=212992; systemctl restart systemd-sysctl')
      expect(await on('systemctl is-active systemd-sysctl; sysctl -n net.core.rmem_default')).toBe('active\n1048576')
    })
  })

  describe('of systemd', () => {
    const nginx =
      'systemctl show -p InvocationID,NeedDaemonReload nginx; ls -A /etc/systemd/system/nginx.service.d 2>&1 || true'
    const dropIn = systemdDropIn('nginx', 'lab')

    it('a value that it would only log and ignore is not left in a drop-in', async () => {
      await on('mkdir -p /etc/systemd/system/nginx.service.d')
      const failure = await refusal(dropIn.section('Service', { LimitNOFILE: 'many' }), nginx)
      expect(failure).toMatch(
        /it was put back: \/etc\/systemd\/system\/nginx\.service\.d\/lab\.conf:2: Failed to parse .*many/,
      )
      expect(await refusal(dropIn.section('Service', { MemoryMaximum: '1G' }), nginx)).toMatch(
        /Unknown key 'MemoryMaximum'/,
      )
    })

    it('a bad unit file setting, with which the next restart would fail, is not left either', async () => {
      const failure = await refusal(dropIn.section('Service', { ExecStart: '/usr/sbin/nginx' }), nginx)
      expect(failure).toContain('nginx.service: Service has more than one ExecStart= setting')
      const unit = systemdUnit('lab-timer.timer').section('Timer', { OnCalendar: 'sometimes' })
      expect(await refusal(unit, 'ls /etc/systemd/system')).toMatch(
        /Failed to parse calendar specification, ignoring: sometimes/,
      )
    })

    it('what it takes is written, though the program is not there yet', async () => {
      await done(dropIn.section('Service', { LimitNOFILE: 65_536 }))
      await done(systemdUnit('lab-later.service').section('Service', { ExecStart: '/opt/not-there-yet' }))
      expect(await on('systemctl show -P LoadState lab-later')).toBe('loaded')
    })
  })

  describe('of systemd, to open a socket', () => {
    const app = systemdSocket('lab-app')
    const look = `cat /etc/systemd/system/lab-app.socket; ss -Hltn sport = 8099; systemctl show -p InvocationID,ActiveState lab-app.socket lab-app.service nginx; stat -c '%F' /etc/hostname`

    it('an address in other hands closes no socket that is open', async () => {
      await done(systemdUnit('lab-app.service').section('Service', { ExecStart: '/bin/sleep infinity' }))
      await done(app.listenStream('127.0.0.1:8099'))
      await on('systemctl start lab-app.service')
      expect(await refusal(app.listenStream(80), look)).toMatch(
        /0\.0\.0\.0:80 is held by nginx \(process \d+\), so systemd cannot have/,
      )
      expect(await refusal(app.listenStream('10.99.9.9:8099'), look)).toContain('10.99.9.9 is no address of this host.')
    })

    it('nor does an owner who does not exist, or a file in the place of the path, which it would remove', async () => {
      const owned = app.listenStream('/run/lab-app.sock').owner('nosuch', 'root')
      expect(await refusal(owned, look)).toContain('There is no user nosuch on this host')
      expect(await refusal(app.listenStream('/etc/hostname'), look)).toContain(
        '/etc/hostname is there and is no socket',
      )
    })

    it('a php-fpm that it could not serve stays as it is', async () => {
      const files = `cat /etc/php/${php}/fpm/pool.d/www.conf /etc/php/${php}/fpm/php-fpm.conf | cksum; ls /etc/systemd/system; systemctl show -p InvocationID php${php}-fpm`
      const activation = phpFpm(php).socketActivation({ owner: 'nosuch', group: 'www-data' })
      expect(await refusal(activation, files)).toContain('There is no user nosuch on this host')
    })
  })

  describe('of PHP', () => {
    const look = `ls /etc/php/${php}/fpm/conf.d; systemctl show -p InvocationID php${php}-fpm`
    const ini = phpIni(php, 'lab')

    it('a value that it replaces with a warning, while its test is successful, is not left in a file', async () => {
      expect(await refusal(ini.set({ 'opcache.jit': 'turbo' }), look)).toContain(
        'Invalid "opcache.jit" setting. Should be',
      )
      expect(await refusal(ini.set({ 'date.timezone': 'Mars/Olympus' }), look)).toContain(
        "Invalid date.timezone value 'Mars/Olympus'",
      )
    })

    it('a memory with which it would not start is not left either', async () => {
      expect(
        await refusal(ini.set({ 'opcache.memory_consumption': 8, 'opcache.interned_strings_buffer': 64 }), look),
      ).toMatch(/Insufficient shared memory/)
      expect(await refusal(opcache(php).set({ memory: '8MiB', internedStrings: '64MiB' }), look)).toMatch(
        /php-fpm would not start/,
      )
    })
  })

  it('of systemd-resolved, which it would only log: an address in other hands', async () => {
    await on(
      'cat >/root/holder.php; systemd-run -q --unit=lab-holder php /root/holder.php; timeout 20 sh -c "until ss -Hlun | grep -qF 127.0.0.3:53; do sleep 0.2; done"',
      '<?php $s = stream_socket_server("udp://127.0.0.3:53", $e, $m, STREAM_SERVER_BIND); sleep(600);',
    )
    const look = 'ls -A /etc/systemd/resolved.conf.d 2>&1 || true; systemctl show -p InvocationID systemd-resolved'
    await on('mkdir -p /etc/systemd/resolved.conf.d')
    const task = resolved('lab').set({ DNSStubListenerExtra: ['127.0.0.2', '127.0.0.3'] })
    expect(await refusal(task, look)).toMatch(
      /127\.0\.0\.3:53 is held by php\S* \(process \d+\), so systemd-resolved\.service would go on without/,
    )
    await done(resolved('lab').set({ DNSStubListenerExtra: ['127.0.0.2', 'tcp:127.0.0.3'] }))
  })
})
