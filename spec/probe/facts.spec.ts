import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname, release, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { typicalFacts } from '../../dsl/play.ts'
import { factsScript, parseFacts, withNeed } from '../../probe/facts.ts'
import { quote } from '../../shell/quote.ts'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/greeting', `${name}.txt`), 'utf8')
const facts = (greeting: string) => parseFacts(Buffer.from(greeting))

describe('the greeting of a real host', () => {
  it('of Debian 12', () => {
    expect(facts(fixture('bookworm'))).toEqual({
      hostname: 'fmod-b',
      os: { id: 'debian', version: '12', codename: 'bookworm', name: 'Debian GNU/Linux 12 (bookworm)' },
      kernel: '7.2.7',
      architecture: 'x86_64',
      processors: 1,
      memory: 373664 * 1024,
      systemd: true,
      defaultInterface: 'vec0',
      user: 'root',
      group: 'root',
    })
  })

  it('of Debian sid, which has no version', () => {
    expect(facts(fixture('sid')).os).toEqual({
      id: 'debian',
      version: undefined,
      codename: 'forky',
      name: 'Debian GNU/Linux forky/sid',
    })
  })
})

describe('an odd greeting', () => {
  const user = '# user\nbob\nstaff\n'

  it('says nothing but as who the session runs', () => {
    expect(facts(user)).toEqual({
      hostname: 'unknown',
      os: { id: 'linux', version: undefined, codename: undefined, name: 'Linux' },
      kernel: 'unknown',
      architecture: 'unknown',
      processors: 1,
      memory: 0,
      systemd: false,
      defaultInterface: undefined,
      user: 'bob',
      group: 'staff',
    })
    expect(facts('# user\nCORP\\jo doe\ndomain users\n')).toMatchObject({ user: 'CORP\\jo doe', group: 'domain users' })
    expect(() => facts('# user\n\n\n')).toThrow('The host did not say as who the session runs.')
    expect(() => facts('')).toThrow('The host did not say as who the session runs.')
  })

  it.each([
    [`ID='alpine'\nVERSION_ID=3.20.1`, { id: 'alpine', version: '3.20.1' }],
    [`PRETTY_NAME="A \\"quoted\\" \\$name"\nID=x`, { name: 'A "quoted" $name' }],
    [`ID=\nVERSION_ID=""`, { id: 'linux', version: undefined, name: 'Linux' }],
    [`ID=debian`, { id: 'debian', codename: undefined }],
  ])('has an os-release of its own kind: %j', (text, os) => {
    expect(facts(`# os\n${text}\n${user}`).os).toMatchObject(os)
  })

  it.each([
    ['0-3,5', 5],
    ['0', 1],
    ['0-127', 128],
    ['0,2-3', 3],
  ])('has processors %s', (text, count) => {
    expect(facts(`# processors\n${text}\n${user}`).processors).toBe(count)
  })

  const route = (name: string, flags: string, metric: number, destination = '00000000', mask = '00000000') =>
    [name, destination, '0102A8C0', flags, '0', '0', metric, mask, '0', '0', '0'].join('\t')
  const zero = '0'.repeat(32)
  const route6 = (name: string, flags: string, metric: string) =>
    `${zero} 00 ${zero} 00 fe800000000000000000000000000001 ${metric} 00000001 00000000 ${flags}     ${name}`

  it.each([
    ['the lowest metric', [route('wlan0', '0003', 600), route('eth0', '0003', 100)], [], 'eth0'],
    [
      'no half of the world, as VPNs have it',
      [route('tun0', '0001', 0, '00000000', '00000080'), route('eth0', '0003', 100)],
      [],
      'eth0',
    ],
    ['no route that rejects', [route('*', '0200', 0), route('eth0', '0003', 100)], [], 'eth0'],
    [
      'IPv6 where there is nothing else',
      [],
      [
        route6('lo', '00200200', 'ffffffff'),
        route6('eth1', '00450003', '00000400'),
        route6('eth0', '00450003', '00000064'),
      ],
      'eth0',
    ],
    ['IPv4 before IPv6', [route('eth0', '0003', 100)], [route6('eth1', '00450003', '00000001')], 'eth0'],
    ['none', [], [route6('lo', '00200200', 'ffffffff')], undefined],
  ])('has the default interface of %s', (_, routes, routes6, name) => {
    const greeting = `# routes\n${routes.join('\n')}\n# routes6\n${routes6.join('\n')}\n${user}`
    expect(facts(greeting).defaultInterface).toBe(name)
  })

  it('lacks a fact that the play needs', () => {
    const { need } = withNeed({ ...typicalFacts, ...facts(user) })
    expect(need.user).toBe('bob')
    expect(() => need.defaultInterface).toThrow(
      'The play needs the fact defaultInterface, which this host does not have.',
    )
  })
})

const shells = [['dash'], ['bash', '--norc'], ['bash', '--norc', '--posix'], ['busybox', 'sh']].map((argv) => {
  const there = spawnSync(argv[0]!, [...argv.slice(1), '-c', ':']).status === 0
  return { argv, there, title: there ? argv.join(' ') : `${argv.join(' ')} (skipped: it is not installed here)` }
})

describe.each(shells)('the greeting of this machine by $title', ({ argv, there }) => {
  const greet = () => {
    const { stdout, stderr } = spawnSync(argv[0]!, [...argv.slice(1), '-c', factsScript], { input: '' })
    return { facts: parseFacts(stdout), stderr: stderr.toString() }
  }

  it.runIf(there)('is what Node knows of it', () => {
    const { facts, stderr } = greet()
    expect(stderr).toBe('')
    expect(facts).toMatchObject({ hostname: hostname(), kernel: release(), user: userInfo().username })
    expect(facts.memory).toBeGreaterThan(100e6)
  })

  it.runIf(there)('has the names of a user who is not root, or the numbers of one without a name', () => {
    const script = factsScript.replace('[ "$v" = 0 ]', 'false')
    const named = spawnSync(argv[0]!, [
      ...argv.slice(1),
      '-c',
      `id() { case $1 in -un) echo bob ;; -gn) echo 'domain users' ;; esac; }; ${script}`,
    ])
    expect(parseFacts(named.stdout)).toMatchObject({ user: 'bob', group: 'domain users' })
    const numbers = `id() { case $1 in -un) echo 4711; return 1 ;; -gn) return 1 ;; -g) echo 4712 ;; esac; }; ${script}`
    expect(parseFacts(spawnSync(argv[0]!, [...argv.slice(1), '-c', numbers]).stdout)).toMatchObject({
      user: '4711',
      group: '4712',
    })
  })

  it.runIf(there)('is not misled by comments in os-release', () => {
    const tell = factsScript.slice(0, factsScript.indexOf('if [ -r /etc/os-release'))
    const text = '# user\n# Debian\nID=debian\n\n#ID=no\n  x=y\nVERSION_ID="12"'
    const input = `${tell}\ntell os /dev/stdin '[A-Z]*=*' all; echo '# user'; echo bob; echo staff`
    const { stdout } = spawnSync(argv[0]!, [...argv.slice(1), '-c', `printf %s ${quote(text)} | { ${input}; }`])
    expect(stdout.toString()).toBe('# os\nID=debian\nVERSION_ID="12"\n# user\nbob\nstaff\n')
  })
})
