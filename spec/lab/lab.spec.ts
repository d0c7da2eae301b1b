/** The lab itself: that its hosts are what the other suites here take them for. */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accounts, type Ended, type Lab, type LabHost, lab, labHosts } from './hosts.ts'

let sid: Lab<'lab1' | 'lab2'>
let bookworm: Lab<'lab3'>
const all = (): readonly LabHost[] => [...Object.values(sid.hosts), ...Object.values(bookworm.hosts)]

beforeAll(async () => {
  sid = await labHosts('sid', ['lab1', 'lab2'])
  bookworm = await labHosts('bookworm', ['lab3'])
})

afterAll(async () => {
  await sid?.close()
  await bookworm?.close()
})

/** What a command printed, which must have succeeded. */
async function said(host: LabHost, command: string, options: { user?: string; input?: string } = {}): Promise<string> {
  const ended: Ended = await host.ssh(command, options)
  expect(ended, `${host.name}: ${command}`).toMatchObject({ status: 0 })
  return ended.stdout.trim()
}

describe('what the hosts are', () => {
  test('the marker file names the image', async () => {
    expect(await said(sid.hosts.lab1, 'cat /etc/fleetplay-lab')).toBe('sid')
    expect(await said(bookworm.hosts.lab3, 'cat /etc/fleetplay-lab')).toBe('bookworm')
  })

  test('they have come up whole', async () => {
    for (const host of all()) {
      expect(await said(host, 'systemctl --failed --no-legend; systemctl is-system-running'), host.name).toBe('running')
    }
  })

  test('each has its own name, address, machine id and host key', async () => {
    const seen = await Promise.all(
      all().map(async (host) => ({
        name: await said(host, 'hostname'),
        address: await said(host, 'ip -4 -o address show dev vec0'),
        id: await said(host, 'cat /etc/machine-id'),
        key: await said(host, 'cat /etc/ssh/ssh_host_ed25519_key.pub'),
      })),
    )
    expect(seen.map(({ name }) => name)).toEqual(['lab1', 'lab2', 'lab3'])
    all().forEach((host, index) => expect(seen[index]?.address).toContain(` ${host.address}/24 `))
    expect(new Set(seen.map(({ id }) => id)).size).toBe(3)
    expect(new Set(seen.map(({ key }) => key)).size).toBe(3)
  })

  test('versions that modules must cope with', async () => {
    expect(await said(sid.hosts.lab1, 'systemctl --version')).toMatch(/^systemd 2[6-9]\d /)
    expect(await said(bookworm.hosts.lab3, 'systemctl --version')).toMatch(/^systemd 252 /)
    expect(await said(sid.hosts.lab1, 'nginx -v 2>&1')).toMatch(/nginx\/1\.(29|[3-9]\d)\./) // early_hints came with 1.29.0
    expect(await said(bookworm.hosts.lab3, 'nginx -v 2>&1')).toContain('nginx/1.22.')
    expect(await said(sid.hosts.lab1, 'mysqld --version')).toMatch(/Ver (8|9)\./)
    expect(await said(bookworm.hosts.lab3, 'mariadbd --version')).toContain('MariaDB')
  })

  test('daemons are installed, stopped and disabled', async () => {
    const units = (php: string, database: string) => `nginx php${php}-fpm ${database} redis-server haproxy`
    for (const [host, names] of [
      [sid.hosts.lab1, units('8.4', 'mysql')],
      [bookworm.hosts.lab3, units('8.2', 'mariadb')],
    ] as const) {
      const states = (await host.ssh(`systemctl is-active ${names}; systemctl is-enabled ${names}`)).stdout
      expect(states.trim().split('\n')).toEqual([
        ...Array<string>(5).fill('inactive'),
        ...Array<string>(5).fill('disabled'),
      ])
    }
  })

  test('no Python', async () => {
    for (const host of all()) expect((await host.ssh('command -v python3 python python2')).stdout).toBe('')
  })

  test('a certificate for coaching.example that nginx could use', async () => {
    const certificate = 'openssl x509 -noout -in /etc/ssl/fleetplay-lab/cert.pem'
    for (const host of all()) {
      await said(host, `${certificate} -checkend 86400`)
      expect(await said(host, `${certificate} -ext subjectAltName`)).toContain('DNS:coaching.example')
      const [fromKey, fromCertificate] = await Promise.all([
        said(host, 'openssl pkey -pubout -in /etc/ssl/fleetplay-lab/key.pem'),
        said(host, `${certificate} -pubkey`),
      ])
      expect(fromKey).toBe(fromCertificate)
    }
  })

  test('a package that can be installed without a network, and upgraded from the second source', async () => {
    for (const host of [sid.hosts.lab2, bookworm.hosts.lab3]) {
      await said(host, 'apt-get update -qq && apt-get install -y -qq fleetplay-lab-hello')
      expect(await said(host, 'fleetplay-lab-hello')).toBe('hello 1.0')
      await said(host, 'sed -i s:/srv/repo:/srv/repo-next: /etc/apt/sources.list.d/fleetplay-lab.list')
      await said(host, 'apt-get update -qq && apt-get install -y -qq fleetplay-lab-hello')
      expect(await said(host, 'fleetplay-lab-hello')).toBe('hello 1.1')
    }
  })
})

describe('becoming another user', () => {
  const { deploy, ops, root } = accounts

  test('deploy: sudo with the password alone', async () => {
    for (const host of all()) {
      expect((await host.ssh('sudo -n id -u', { user: deploy.user })).status).not.toBe(0)
      expect((await host.ssh('sudo -S -p "" id -u', { user: deploy.user, input: 'wrong\n' })).status).not.toBe(0)
      expect(await said(host, 'sudo -S -p "" id -u', { user: deploy.user, input: `${deploy.password}\n` })).toBe('0')
    }
  })

  test('deploy: su with the password of root, and no doas', async () => {
    for (const host of all()) {
      expect(await said(host, 'su -c "id -u"', { user: deploy.user, input: `${root.password}\n` })).toBe('0')
      expect((await host.ssh('su -c "id -u"', { user: deploy.user, input: 'wrong\n' })).status).not.toBe(0)
      expect((await host.ssh('doas -n id -u', { user: deploy.user })).status).not.toBe(0)
    }
  })

  test('ops: sudo and doas without a password', async () => {
    for (const host of all()) {
      expect(await said(host, 'sudo -n id -u', { user: ops.user })).toBe('0')
      expect(await said(host, 'doas -n id -u', { user: ops.user })).toBe('0')
    }
  })

  test('the three shells that the remote program must run on', async () => {
    for (const host of all()) {
      for (const shell of ['dash', 'bash', 'busybox sh'])
        expect(await said(host, `${shell} -c 'echo $((6 * 7))'`)).toBe('42')
    }
  })
})

describe('each host is a machine of its own', () => {
  test('a kernel parameter of one is not that of another', async () => {
    const { lab1, lab2 } = sid.hosts
    const before = await said(lab2, 'cat /proc/sys/net/core/rmem_default')
    await said(lab1, 'echo 1234567 >/proc/sys/net/core/rmem_default')
    expect(await said(lab1, 'cat /proc/sys/net/core/rmem_default')).toBe('1234567')
    expect(await said(lab2, 'cat /proc/sys/net/core/rmem_default')).toBe(before)
    expect(before).not.toBe('1234567')
  })

  test('fq_codel can be had', async () => {
    for (const host of all()) {
      await said(host, 'tc qdisc replace dev vec0 root fq_codel limit 1000')
      expect(await said(host, 'tc qdisc show dev vec0')).toContain('fq_codel')
      await said(host, 'tc qdisc del dev vec0 root')
    }
  })

  test('hosts reach each other, and megabytes arrive whole', async () => {
    const { lab1, lab2 } = sid.hosts
    expect(await said(lab1, `ping -c 2 -W 5 ${lab2.address}`)).toContain(' 0% packet loss')
    const input = 'fleetplay '.repeat(800_000)
    expect(await said(lab1, 'wc -c', { input })).toBe('8000000')
    expect((await lab1.ssh('cat', { input })).stdout.length).toBe(8_000_000)
  })

  test('a power cut keeps the disk, and nothing but the disk', async () => {
    const { lab1, lab2 } = sid.hosts
    await said(lab1, 'echo kept >/root/kept; sync; echo 12345 >/proc/sys/net/core/netdev_max_backlog; touch /run/gone')
    const boot = await said(lab1, 'cat /proc/sys/kernel/random/boot_id')
    const key = await said(lab1, 'cat /etc/ssh/ssh_host_ed25519_key.pub')
    await lab1.powerCut()
    expect(await lab(['list'])).toContain(`lab1 ${lab1.address} sid off`)
    expect((await lab1.ssh('true')).status).toBe(255)
    expect(await said(lab2, 'echo still here')).toBe('still here')
    await lab1.up()
    expect(await said(lab1, 'cat /root/kept')).toBe('kept')
    expect(await said(lab1, 'cat /etc/ssh/ssh_host_ed25519_key.pub')).toBe(key)
    expect(await said(lab1, 'cat /proc/sys/kernel/random/boot_id')).not.toBe(boot)
    expect(await said(lab1, 'cat /proc/sys/net/core/netdev_max_backlog')).not.toBe('12345')
    expect((await lab1.ssh('test -e /run/gone')).status).toBe(1)
  })
})

describe('what clients are given', () => {
  /** Lines of an address in the format of known_hosts, as `type key`. */
  const keysOf = (text: string, host: string): readonly string[] =>
    text
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([names = '']) => names.split(',').includes(host))
      .map(([, type, key]) => `${type} ${key}`)
      .toSorted()

  test('known_hosts holds the keys that the hosts show', async () => {
    const known = await readFile(sid.knownHosts, 'utf8')
    for (const host of all()) {
      const shown = keysOf((await promisify(execFile)('ssh-keyscan', [host.address])).stdout, host.address)
      expect(shown.map((line) => line.split(' ')[0])).toEqual(['ecdsa-sha2-nistp256', 'ssh-ed25519', 'ssh-rsa'])
      expect(keysOf(known, host.address)).toEqual(shown)
      expect(keysOf(known, host.name)).toEqual(shown)
    }
  })

  test('the key and the ssh configuration are where they are said to be', () => {
    for (const file of [sid.key, sid.knownHosts, sid.sshConfig]) expect(existsSync(file), file).toBe(true)
  })
})

describe('what the lab refuses', () => {
  test('a second host of a name', async () => {
    await expect(labHosts('bookworm', ['lab1'])).rejects.toThrow('the lab has lab1 already: take another name, or ')
    await expect(lab(['up', 'bookworm', 'lab1'])).rejects.toThrow('host lab1 has a disk made from sid-')
    await expect(lab(['up', 'sid', 'lab1'], { OWNER: '1' })).rejects.toThrow(
      /host lab1 was booted for process \d+: take another name/,
    )
  })

  test('names and images that cannot be, saying what can', async () => {
    await expect(lab(['up', 'sid', 'Web_1'])).rejects.toThrow(
      'Web_1 is no host name: lower-case letters, digits and hyphens',
    )
    await expect(lab(['up', 'woody', 'lab9'])).rejects.toThrow('no image woody; there are: sid bookworm')
    await expect(lab(['kill', 'nobody'])).rejects.toThrow('no host nobody; there are: lab1 lab2 lab3')
  })
})
