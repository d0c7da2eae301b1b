import { describe, expect, it } from 'vitest'
import { addressTest, socketTest } from '../../modules/socket-test.ts'
import { shells } from '../connection/shells.ts'
import { inShell } from './answers.ts'

/** As `ss -Hlxtunp` of Debian 12 prints it; the processes are made up so that none of them is of this machine. */
const held = `u_str LISTEN 0      4096 /run/php/php8.2-fpm.sock 3673       * 0 users:(("php-fpm8.2",pid=4194999,fd=10),("php-fpm8.2",pid=4194998,fd=8))
u_str LISTEN 0      4096            /run/my app.sock 2201       * 0 users:(("systemd",pid=1,fd=54))
udp   UNCONN 0      0                  127.0.0.3:53   0.0.0.0:* users:(("dnsmasq",pid=4194994,fd=4))
tcp   LISTEN 0      128                  0.0.0.0:22   0.0.0.0:* users:(("sshd",pid=4194997,fd=3))
tcp   LISTEN 0      128                     [::]:22      [::]:* users:(("sshd",pid=4194997,fd=4))
tcp   LISTEN 0      511                127.0.0.1:80   0.0.0.0:* users:(("nginx: master",pid=4194996,fd=5))
tcp   LISTEN 0      4096            127.0.0.53%lo:53   0.0.0.0:* users:(("systemd-resolve",pid=4194995,fd=5))
tcp   LISTEN 0      4096                      *:8099       *:* users:(("systemd",pid=1,fd=53))
`
const file = { mode: '0660', owner: 'www-data', group: 'web' }

const programs = {
  ss: `cat <<'END'\n${held}END`,
  getent: `case "$3" in www-data | web) exit 0 ;; esac; exit 2`,
  ip: `case "$4" in 127.* | ::1) echo "local $4 dev lo" ;; *) echo "$4 via 10.0.0.1 dev eth0" ;; esac`,
  systemctl: `printf '%s\\n' '[::]:8099 (Stream)' '/run/my app.sock (Stream)'`,
}

describe.each(shells)('the test of a socket unit under $name', ({ name: shell, there }) => {
  const test = (address: string, owner = file) => {
    const isPath = address.startsWith('/')
    const guard = socketTest('app.socket', 'app.service', { [address]: { file: isPath ? owner : null } })
    const { status, stderr } = inShell(shell, guard.test, programs)
    return status === 0 ? 'fine' : stderr.trim()
  }

  it.skipIf(!there).each([
    '/run/fleetplay-none.sock',
    '@app',
    '[::]:8080',
    '127.0.0.2:80',
    '[::1]:80',
    // What the unit has already, or would have narrower.
    '[::]:8099',
    '127.0.0.1:8099',
    '/run/my app.sock',
  ])('holds for %s', (address) => {
    expect(test(address)).toBe('fine')
  })

  it.skipIf(!there).each([
    ['[::]:22', '0.0.0.0:22 is held by sshd (process 4194997), so systemd cannot have [::]:22.'],
    ['127.0.0.1:22', '0.0.0.0:22 is held by sshd (process 4194997), so systemd cannot have 127.0.0.1:22.'],
    ['[::1]:22', '[::]:22 is held by sshd (process 4194997), so systemd cannot have [::1]:22.'],
    ['0.0.0.0:80', '127.0.0.1:80 is held by nginx:_master (process 4194996), so systemd cannot have 0.0.0.0:80.'],
    [
      '127.0.0.53:53',
      '127.0.0.53:53 is held by systemd-resolve (process 4194995), so systemd cannot have 127.0.0.53:53.',
    ],
  ])(
    'fails for an address that somebody else holds, of which systemd says «Input/output error»: %s',
    (address, said) => {
      expect(test(address)).toBe(said)
    },
  )

  it.skipIf(!there)(
    'fails for a path that another daemon listens on, which systemd would take from it without a word',
    () => {
      expect(test('/run/php/php8.2-fpm.sock')).toMatch(
        /is held by php-fpm8\.2 \(process 4194999\), so systemd cannot have/,
      )
    },
  )

  it.skipIf(!there)('fails for a path with something else in its place, which systemd would remove', () => {
    expect(test('/etc/hostname')).toBe('/etc/hostname is there and is no socket: systemd would remove it.')
    expect(test('/tmp')).toBe('/tmp is there and is no socket: systemd would remove it.')
  })

  it.skipIf(!there)('fails for an address that the host does not have', () => {
    expect(test('10.9.9.9:8080')).toBe('10.9.9.9 is no address of this host.')
    expect(test('[fd00::1]:8080')).toBe('fd00::1 is no address of this host.')
  })

  it.skipIf(!there)('fails for an owner or a group who does not exist: status=217/USER', () => {
    expect(test('/run/a.sock', { ...file, owner: 'nosuch' })).toBe(
      'There is no user nosuch on this host, to own the socket.',
    )
    expect(test('/run/a.sock', { ...file, group: 'nosuch' })).toBe(
      'There is no group nosuch on this host, to own the socket.',
    )
  })

  it.skipIf(!there)(
    'fails for an address that a daemon would only log as taken, by the protocol that it asks for',
    () => {
      const taken = (address: string, by?: 'tcp' | 'udp') => {
        const { status, stderr } = inShell(
          shell,
          addressTest('systemd-resolved.service', [{ address, by }]).test,
          programs,
        )
        return status === 0 ? 'fine' : stderr.trim()
      }
      const said =
        '127.0.0.3:53 is held by dnsmasq (process 4194994), so systemd-resolved.service would go on without 127.0.0.3:53.'
      expect([taken('127.0.0.3:53'), taken('127.0.0.3:53', 'udp')]).toEqual([said, said])
      expect([taken('127.0.0.3:53', 'tcp'), taken('127.0.0.4:53'), taken('[::1]:53')]).toEqual(['fine', 'fine', 'fine'])
    },
  )

  it.skipIf(!there)('lets the service have the address, since it is stopped before', () => {
    // This process stands for the service: its control group is named.
    const ours = { ...programs, ss: `echo 'tcp LISTEN 0 1 0.0.0.0:9 0.0.0.0:* users:(("app",pid='$$',fd=3))'` }
    const guard = socketTest('app.socket', 'app.service', { '[::]:9': { file: null } })
    expect(inShell(shell, guard.test, { ...ours, grep: 'exit 0' }).status).toBe(0)
    expect(inShell(shell, guard.test, { ...ours, grep: 'exit 1' }).stderr).toMatch(/^0\.0\.0\.0:9 is held by app/)
  })
})
