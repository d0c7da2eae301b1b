import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { batch } from '../../probe/batch.ts'
import { type DetailedFacts, detailedFacts } from '../../probe/detailed-facts.ts'
import { shells } from '../connection/shells.ts'
import { inShell } from '../modules/answers.ts'
import type { Script } from '../../shell/script.ts'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/facts', `${name}.txt`), 'utf8')
const told = (stdout: string) => detailedFacts.parse([{ status: 0, stdout: Buffer.from(stdout), stderr: '' }])
const script = detailedFacts.questions[0]!.asked as Script

describe('detailed facts of a real host', () => {
  it('of Debian 12', () => {
    expect(told(fixture('bookworm'))).toEqual({
      virtualization: 'uml',
      interfaces: [
        { name: 'lo', mac: undefined, mtu: 65_536, state: 'unknown', addresses: ['127.0.0.1/8', '::1/128'] },
        {
          name: 'vec0',
          mac: '02:66:70:6c:00:0b',
          mtu: 1500,
          state: 'unknown',
          addresses: ['10.78.0.11/24', 'fe80::66:70ff:fe6c:b/64'],
        },
      ],
      software: {
        nginx: '1.22.1',
        php: ['8.2'],
        mysql: undefined,
        mariadb: '10.11.18',
        redis: '7.0.15',
        haproxy: '2.6.12',
        systemd: '252',
      },
    })
  })

  it('of Debian sid', () => {
    expect(told(fixture('sid')).software).toEqual({
      nginx: '1.30.6',
      php: ['8.4'],
      mysql: '9.7.4',
      mariadb: undefined,
      redis: '8.0.6',
      haproxy: '3.2.26',
      systemd: '262',
    })
  })
})

describe('detailed facts of an odd host', () => {
  const nothing: DetailedFacts = {
    virtualization: undefined,
    interfaces: [],
    software: {
      nginx: undefined,
      php: [],
      mysql: undefined,
      mariadb: undefined,
      redis: undefined,
      haproxy: undefined,
      systemd: undefined,
    },
  }

  it('are none where nothing is installed, and that is no failure', () => {
    const names = [
      'virtualization',
      'interfaces',
      'addresses',
      'nginx',
      'haproxy',
      'redis',
      'database',
      'systemd',
      'php',
    ]
    expect(told(names.map((name) => `# ${name}\n`).join(''))).toEqual(nothing)
    expect(told('')).toEqual(nothing)
  })

  it.each([
    [
      'several versions of PHP',
      'php',
      '/usr/bin/php7.4\n/usr/bin/php8.10\n/usr/bin/php8.2\n/usr/sbin/php-fpm8.2\n',
      ['7.4', '8.2', '8.10'],
    ],
    ['a PHP of its own making', 'php', 'PHP 8.3.6 (cli) (built: Jan  1 2026)\nZend Engine v4.3.6\n', ['8.3']],
    ['programs that only begin like PHP', 'php', '/usr/bin/php8.2\n/usr/bin/php8.2-helper\n', ['8.2']],
  ])('have %s', (_, part, text, versions) => {
    expect(told(`# ${part}\n${text}`).software.php).toEqual(versions)
  })

  it.each([
    [
      'MariaDB under the name of mysqld',
      'mysqld  Ver 10.3.39-MariaDB-0+deb10u2 for debian-linux-gnu',
      { mariadb: '10.3.39', mysql: undefined },
    ],
    [
      'MySQL of Oracle’s packages',
      '/usr/sbin/mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)',
      { mysql: '8.0.36', mariadb: undefined },
    ],
  ])('have %s', (_, text, software) => {
    expect(told(`# database\n${text}\n`).software).toMatchObject(software)
  })

  it('have addresses of a tunnel, of an interface whose name others begin with, and of one without link address', () => {
    const { interfaces } = told(`# interfaces
/sys/class/net/eth0 1500 up 02:00:00:00:00:01
/sys/class/net/eth0.100 1500 lowerlayerdown 02:00:00:00:00:01
/sys/class/net/tun0 1420 unknown${' '}
# addresses
2: eth0    inet 10.0.3.11/24 brd 10.0.3.255 scope global dynamic eth0\\       valid_lft 80000sec preferred_lft 80000sec
3: eth0.100@eth0    inet 10.1.0.1/16 scope global eth0.100\\       valid_lft forever preferred_lft forever
7: tun0    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0\\       valid_lft forever preferred_lft forever
`)
    expect(interfaces).toEqual([
      { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, state: 'up', addresses: ['10.0.3.11/24'] },
      { name: 'eth0.100', mac: '02:00:00:00:00:01', mtu: 1500, state: 'lowerlayerdown', addresses: ['10.1.0.1/16'] },
      { name: 'tun0', mac: undefined, mtu: 1420, state: 'unknown', addresses: ['10.8.0.1/32'] },
    ])
  })
})

describe.each(shells)('in $title', ({ name, there }) => {
  it.skipIf(!there)('asks this machine', () => {
    const { status, stdout, stderr } = inShell(name, script)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const { interfaces } = told(stdout.toString())
    expect(interfaces.find((one) => one.name === 'lo')).toMatchObject({ mac: undefined, mtu: 65_536 })
  })

  it.skipIf(!there)('asks programs for their versions, those that tell it on standard error too', () => {
    const programs = {
      nginx: 'echo "nginx version: nginx/1.22.1" >&2',
      'redis-server': 'echo "Redis server v=7.0.15 sha=0:0"',
      mariadbd: 'echo "mariadbd  Ver 10.11.18-MariaDB-0+deb12u1 for debian-linux-gnu"',
      mysqld: 'echo "asked in vain"',
      haproxy: 'exit 1',
    }
    const { stdout } = inShell(name, script, programs)
    expect(told(stdout.toString()).software).toMatchObject({
      nginx: '1.22.1',
      redis: '7.0.15',
      mariadb: '10.11.18',
      mysql: undefined,
      haproxy: undefined,
    })
  })
})

it('is one script in a batch, beside the others', () => {
  expect(batch([detailedFacts]).script.text.match(/systemd-detect-virt/g)).toHaveLength(2)
  expect(spawnSync('sh', ['-n'], { input: script.text }).status).toBe(0)
})
