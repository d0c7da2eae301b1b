import { describe, expect, it } from 'vitest'
import type { Event } from '../../engine/events.ts'
import { unifiedDiff } from '../../report/diff.ts'
import { textReport, type TextOptions } from '../../report/text.ts'
import { change, failure, finished, playStarted, reaction, started, task } from './events.ts'

const options: TextOptions = { color: false, width: 80, folder: '/project', diff: undefined, again: undefined }

function text(events: readonly Event[], more: Partial<TextOptions> = {}): string {
  return textReport(events, { ...options, ...more })
}

const sysctl = [
  change('net.core.rmem_default', '212992', '16777216'),
  change('net.ipv4.udp_mem', '8670 11562 17340', '262144 524288 1048576'),
  change('/etc/sysctl.d/99-udp-dns-tuning.conf', 'absent', '7 lines'),
]
const qdisc = change('root', 'pfifo_fast', 'fq_codel limit 10240 target 5ms interval 100ms ecn')
const refused = failure('nginx refused the configuration; it was put back, the old one still serves.', {
  seen: {
    command: 'nginx -t',
    status: 1,
    output: '[emerg] host not found in upstream "php" in /etc/nginx/conf.d/coaching.conf:12',
  },
  hint: 'Declare the upstream, or give `fastcgiPass` a socket.',
})
const timedOut = failure('connect 10.0.3.13:22 timed out after 10 s (tried 3 times)', {
  code: 'E_CONNECT',
  hint: 'Is the host up, and does a firewall let us through to port 22?',
})

/** A run with everything in it; hosts end in another order than the inventory's. */
const run: readonly Event[] = [
  started({ limit: 'web' }),
  playStarted(),
  task('web2', 0, 'sysctl 99-udp-dns-tuning', { changes: sysctl }),
  task('web2', 13, 'nginxSite coaching', { outcome: 'failed', failure: refused }),
  task('web2', 14, 'file /x', { outcome: 'skipped', reason: 'a task before it failed' }),
  task('web1', 0, 'sysctl 99-udp-dns-tuning', { changes: sysctl }),
  task('web1', 5, 'tcQdisc eth0', { changes: [qdisc] }),
  reaction('web1', 'restart systemd-resolved', ['sysctl 99-udp-dns-tuning']),
  reaction('web2', 'restart systemd-resolved', ['sysctl 99-udp-dns-tuning']),
  { type: 'unreachable', play: 'web', host: 'web3', task: undefined, failure: timedOut },
  finished({ changed: 1, failed: 1, unreachable: 1 }, { ok: 13, changed: 3, failed: 1, skipped: 1 }),
]

describe('a run', () => {
  it('tells what is the same on several hosts once, in the order of the play', () => {
    const again = (hosts: readonly string[]) => `play run coaching-fleet -i production --limit ${hosts.join(',')}`
    expect(text(run, { again })).toBe(`\
coaching-fleet · web · 3 hosts · 18 tasks · inventory/production.ts

skipped
  file /x                   web2             a task before it failed

changed
  sysctl 99-udp-dns-tuning  web1 web2        plays/web.ts:10
    net.core.rmem_default   212992 → 16777216
    net.ipv4.udp_mem        8670 11562 17340 → 262144 524288 1048576
    /etc/sysctl.d/99-udp-dns-tuning.conf   absent → 7 lines
  tcQdisc eth0              web1             plays/web.ts:15
    root                    pfifo_fast
                          → fq_codel limit 10240 target 5ms interval 100ms ecn

reacted
  restart systemd-resolved  web1 web2        because of sysctl 99-udp-dns-tuning

unreachable
  web3
    connect 10.0.3.13:22 timed out after 10 s (tried 3 times)
    Is the host up, and does a firewall let us through to port 22?

failed
  nginxSite coaching        web2             plays/web.ts:23
    nginx refused the configuration; it was put back, the old one still serves.
    nginx -t → exit 1
      [emerg] host not found in upstream "php" in /etc/nginx/conf.d/coaching.conf:12
    Declare the upstream, or give \`fastcgiPass\` a socket.

  hosts  ok 0 · changed 1 · failed 1 · unreachable 1
  tasks  ok 13 · changed 3 · failed 1 · skipped 1
  2.1 s · 4 trips a host
  again on what is left:  play run coaching-fleet -i production --limit web2,web3
`)
  })

  it('takes the room of a wide terminal', () => {
    const lines = text(run, { width: 120 }).split('\n')
    expect(lines).toContain(
      '    root                                  pfifo_fast → fq_codel limit 10240 target 5ms interval 100ms ecn',
    )
    expect(lines).toContain('    /etc/sysctl.d/99-udp-dns-tuning.conf  absent → 7 lines')
    const calm = text([started(), playStarted(), finished({ ok: 3 }, { ok: 54 })], { width: 120 })
    expect(calm).toBe(`\
coaching-fleet · 3 hosts · 18 tasks · inventory/production.ts

  hosts  ok 3 · changed 0 · failed 0 · unreachable 0      tasks  ok 54 · changed 0 · failed 0      2.1 s · 4 trips a host
`)
  })

  it('has no line wider than the terminal but what tools said and what is to be copied', () => {
    for (const width of [72, 80, 100, 120, 200]) {
      const wide = text(run, { width })
        .split('\n')
        .filter((line) => line.length > width)
      expect(wide.filter((line) => !line.includes('[emerg]'))).toEqual([])
    }
  })

  it('tells the reason of several tasks as one of several', () => {
    const lost = { outcome: 'skipped', reason: 'the host failed before it' } as const
    expect(text([started(), playStarted(), task('web1', 1, 'a', lost)])).toMatch(
      / a +web1 +the host failed before it$/m,
    )
    const several = text([started(), playStarted(), task('web1', 1, 'a', lost), task('web1', 2, 'b', lost)])
    expect(several).toMatch(/ 2 tasks +web1 +the host failed before them$/m)
  })

  it('tells what a task had changed before it failed, and what its plan had noted', () => {
    const half = {
      outcome: 'failed',
      failure: failure('No.'),
      changes: [qdisc],
      notes: ['x is not there now.'],
    } as const
    expect(
      text([started(), playStarted(), task('web1', 0, 'site', half), finished({ failed: 1 }, { failed: 1 })]),
    ).toContain(`
failed
  site                  web1             plays/web.ts:10
    No.
    note: x is not there now.
    changed before it failed:
    root                pfifo_fast
                      → fq_codel limit 10240 target 5ms interval 100ms ecn
`)
  })

  it('gives first names and a number where many hosts changed, and every name where they failed', () => {
    const hosts = Array.from({ length: 47 }, (_, i) => `web${i + 1}`)
    const report = text([
      started({ hosts }),
      playStarted('web', hosts),
      ...hosts.map((host) => task(host, 0, 'file /etc/motd', { changes: [change('/etc/motd', 'absent', '1 line')] })),
      ...hosts.slice(0, 20).map((host) => task(host, 1, 'file /x', { outcome: 'failed', failure: failure('No.') })),
      finished(),
    ])
    expect(report).toContain(`
changed
  file /etc/motd        web1 web2 web3 web4 web5 … 47 hosts      plays/web.ts:10
    /etc/motd           absent → 1 line
`)
    expect(report).toContain(`
failed
  file /x               web1 web2 web3 web4 web5 web6 web7 web8  plays/web.ts:11
                        web9 web10 web11 web12 web13 web14
                        web15 web16 web17 web18 web19 web20
    No.
`)
  })

  it('says that it is a simulation, and how it becomes real', () => {
    expect(text([started({ simulated: ['web1', 'web2', 'web3'] })])).toBe(`\
coaching-fleet · 3 hosts · 18 tasks · inventory/production.ts
These hosts are simulated: they are in memory, and nothing is connected to.
For real hosts write inventory/production.ts, and choose it with -i production.
`)
    expect(text([started({ simulated: ['web3'] })])).toContain('1 of these hosts are simulated')
  })

  it('says where a host was lost, that a failure was ignored, what was not begun, and that it was interrupted', () => {
    const at = {
      index: 4,
      module: 'file',
      title: 'file /x',
      place: { file: '/project/plays/web.ts', line: 3, column: 1 },
    }
    const report = text([
      started(),
      playStarted(),
      { type: 'unreachable', play: 'web', host: 'web1', task: at, failure: failure('The session broke.') },
      task('web2', 0, 'command true', { outcome: 'failed', failure: failure('It failed.'), ignored: true }),
      { type: 'not-begun', play: 'web', hosts: ['web3'], reason: 'interrupted' },
      finished({ unreachable: 1, ok: 1, skipped: 1 }, { failed: 1 }, true),
    ])
    expect(report).toContain(`
not begun
  web3
    interrupted

unreachable
  web1
    lost at file /x, plays/web.ts:3
    The session broke.

failed
  command true (ignored)
                        web2             plays/web.ts:10
    It failed.

  interrupted; what was begun was finished
  hosts  ok 1 · changed 0 · failed 0 · unreachable 1 · skipped 1
`)
  })

  it('tells the hint of unreachable hosts once where it is the same', () => {
    const report = text([
      started(),
      playStarted(),
      {
        type: 'unreachable',
        play: 'web',
        host: 'web1',
        task: undefined,
        failure: { ...timedOut, message: 'connect a timed out' },
      },
      {
        type: 'unreachable',
        play: 'web',
        host: 'web2',
        task: undefined,
        failure: { ...timedOut, message: 'connect b timed out' },
      },
      finished(),
    ])
    expect(report.match(/Is the host up/g)).toHaveLength(1)
  })
})

describe('a plan', () => {
  const plan = [
    started({ check: true }),
    playStarted(),
    task('web1', 0, 'aptPackage php-fpm', { changes: [change('php8.4-fpm', 'absent', '8.4.1')] }),
    task('web1', 1, 'service php8.4-fpm', {
      changes: [change('state', 'absent', 'active', { dependsOn: ['aptPackage php-fpm'] })],
      notes: ['five seconds of 502 once'],
      irreversible: ['the old data are gone'],
    }),
    task('web1', 2, 'command migrate', { changes: [change('migrate', '', 'runs', { unprovable: true })] }),
    task('web2', 1, 'service php8.4-fpm', { outcome: 'failed', failure: failure('There is no such unit.') }),
    reaction('web1', 'reload nginx', ['service php8.4-fpm'], { outcome: 'planned' }),
    finished({ changed: 1, failed: 1 }, { changed: 3, failed: 1 }),
  ]

  it('speaks of the future, and marks what depends on an earlier task', () => {
    expect(text(plan)).toBe(`\
plan · coaching-fleet · 3 hosts · 18 tasks · inventory/production.ts

would change
  aptPackage php-fpm    web1             plays/web.ts:10
    php8.4-fpm          absent → 8.4.1
~ service php8.4-fpm    web1             plays/web.ts:11
  ~ state               absent → active
    ~ depends on aptPackage php-fpm
    note: five seconds of 502 once
    cannot be turned round: the old data are gone
  command migrate       web1             plays/web.ts:12
    migrate             empty → runs
      runs, and cannot be proved afterwards

would react
  reload nginx          web1             because of service php8.4-fpm

would fail
  service php8.4-fpm    web2             plays/web.ts:11
    There is no such unit.

  hosts  ok 0 · to change 1 · would fail 1 · unreachable 0
  tasks  ok 0 · to change 3 · would fail 1
  2.1 s · 4 trips a host
`)
  })
})

describe('diffs', () => {
  const motd = (after: string) => [change('/etc/motd', '3 lines', '3 lines', { diff: { before: 'a\nb\nc\n', after } })]
  const events = [
    started(),
    playStarted(),
    task('web1', 0, 'file /etc/motd', { changes: motd('a\nB\nc\n') }),
    task('web2', 0, 'file /etc/motd', { changes: motd('a\nB\nc\n') }),
    task('web3', 0, 'file /etc/motd', { changes: motd('a\nb\n\u001b[31mevil\u202e') }),
    finished({ changed: 3 }, { changed: 3 }),
  ]

  it('are told once for hosts that have the same, with what a host says made harmless', () => {
    expect(text(events, { diff: unifiedDiff })).toContain(`
changed
  file /etc/motd        web1 web2        plays/web.ts:10
    /etc/motd           3 lines, changed within
      @@ -1,3 +1,3 @@
       a
      -b
      +B
       c
  file /etc/motd        web3             plays/web.ts:10
    /etc/motd           3 lines, changed within
      @@ -1,3 +1,3 @@
       a
       b
      -c
      +\\e[31mevil\\u{202e}
      \\ No newline at end of file
`)
  })

  it('keep nobody apart where they are not asked for', () => {
    expect(text(events)).toContain(`
changed
  file /etc/motd        web1 web2 web3   plays/web.ts:10
    /etc/motd           3 lines, changed within
`)
  })

  it('are coloured, and nothing is where colours are not wanted', () => {
    const colored = text(events, { diff: unifiedDiff, color: true })
    expect(colored).toContain('\u001b[32m+B\u001b[39m')
    expect(colored).toContain('\u001b[31m-b\u001b[39m')
    // oxlint-disable-next-line no-control-regex
    expect(colored.replaceAll(/\u001b\[\d+m/g, '')).toBe(text(events, { diff: unifiedDiff }))
    expect(text(run)).not.toContain('\u001b')
  })

  it('give up on texts that are too different, and say so', () => {
    const lines = (salt: number) =>
      Array.from({ length: 30_000 }, (_, i) => `${(i * 7919 * salt) % 100_003}`).join('\n')
    const [first] = unifiedDiff(lines(3), lines(5))
    expect(first).toEqual({ kind: 'range', text: '@@ too different to be compared line by line @@' })
  })
})

describe('the range of a diff', () => {
  it('is as diff -u writes it where one side has no lines', () => {
    expect(unifiedDiff('', 'a\n')[0]).toEqual({ kind: 'range', text: '@@ -0,0 +1,1 @@' })
    expect(unifiedDiff('a\n', '')[0]).toEqual({ kind: 'range', text: '@@ -1,1 +0,0 @@' })
  })
})
