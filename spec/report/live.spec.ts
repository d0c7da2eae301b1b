import { describe, expect, it } from 'vitest'
import type { Event } from '../../engine/events.ts'
import { Live } from '../../report/live.ts'
import { failure, finished, playStarted, started, task } from './events.ts'

const view = { color: false, width: 80, rows: 24, now: 1400 }
const begun = (host: string): Event => ({ type: 'host-started', play: 'web', host })
const connected = (host: string): Event => ({ type: 'connected', play: 'web', host, tasks: 18 })
const ended = (host: string, outcome: 'ok' | 'changed' | 'failed' | 'unreachable'): Event => ({
  type: 'host-finished',
  play: 'web',
  host,
  outcome,
  trips: 4,
})
const progress = (host: string, done: number, title: string, phase: 'apply' | 'prove' = 'apply'): Event => ({
  type: 'progress',
  play: 'web',
  host,
  done,
  of: 18,
  title,
  phase,
})

function live(...events: readonly (readonly [number, Event])[]): Live {
  const display = new Live()
  for (const [now, event] of events) display.add(event, now)
  return display
}

describe('a line for each host', () => {
  it('says on whom it waits', () => {
    const held = {
      type: 'host-waiting',
      host: 'web1',
      holder: 'alice@laptop, play db (run 1)',
      since: undefined,
    } as const
    const display = live([0, started({ hosts: ['web1'] })], [100, begun('web1')], [400, held])
    const [line] = display.lines({ ...view, width: 100 })
    expect(line).toMatch(/^  web1 +waits for alice@laptop, play db \(run 1\) · 1\.0 s$/)
    display.add(connected('web1'), 1400)
    expect(display.lines(view)[0]).not.toContain('alice')
  })

  it('shows how far it is, at what, and for how long', () => {
    const display = live(
      [0, started({ hosts: ['web1', 'web2', 'web3', 'web4', 'web5', 'web6'] })],
      [0, playStarted()],
      ...['web1', 'web2', 'web3', 'web4', 'web5'].map((host) => [100, begun(host)] as const),
      ...['web1', 'web2', 'web4'].map((host) => [200, connected(host)] as const),
      [300, task('web1', 3, 'file /x')],
      [900, ended('web1', 'changed')],
      [1000, progress('web2', 12, 'nginxEarlyHints coaching')],
      [
        900,
        {
          type: 'unreachable',
          play: 'web',
          host: 'web3',
          task: undefined,
          failure: failure('connect 10.0.3.13:22 timed out after 10 s (tried 3 times)'),
        },
      ],
      [900, ended('web3', 'unreachable')],
      [1000, task('web4', 2, 'nginxSite coaching', { outcome: 'failed', failure: failure('No.') })],
      [1000, ended('web4', 'failed')],
      [1100, finished()],
    )
    expect(display.lines(view)).toEqual([
      '  web1  ━━━━━━━━━━━━━━━━━━━━━━━━  18/18  1 changed',
      '  web2  ━━━━━━━━━━━━━━━━          12/18  nginxEarlyHints coaching · apply 0.4 s',
      '  web3  unreachable  connect 10.0.3.13:22 timed out after 10 s (tried 3 times)',
      '  web4  ━━╸                        2/18  failed at nginxSite coaching',
      '  web5                                   connecting 1.3 s',
      '  web6',
    ])
  })

  it('does not go back while it is proved', () => {
    const display = live(
      [0, started({ hosts: ['a'] })],
      [0, connected('a')],
      [10, progress('a', 9, 'file /x')],
      [20, progress('a', 2, 'file /y', 'prove')],
    )
    expect(display.lines({ ...view, now: 120 })).toEqual(['  a  ━━━━━━━━━━━━               9/18  prove 0.1 s'])
  })

  it('is cut to the terminal', () => {
    const display = live(
      [0, started({ hosts: ['a'] })],
      [0, connected('a')],
      [0, progress('a', 9, 'nginxEarlyHints-of-a-very-long-name coaching')],
    )
    const [line] = display.lines({ ...view, width: 60, now: 100 })
    expect(line).toBe('  a  ━━━━━━━━━━             9/18  nginxEarly… · apply 0.1 s')
    expect(line!.length).toBeLessThanOrEqual(60)
  })
})

describe('a summary', () => {
  const hosts = Array.from({ length: 1000 }, (_, i) => `web${i + 1}`)
  const display = live(
    [0, started({ hosts })],
    ...hosts.slice(0, 330).flatMap((host) => [[0, begun(host)] as const, [10, connected(host)] as const]),
    ...hosts.slice(0, 300).map((host) => [500, ended(host, 'changed')] as const),
    ...hosts.slice(300, 312).map((host) => [500, ended(host, 'failed')] as const),
    [1300, progress('web313', 12, 'file /x')],
  )

  it('stands for lines where there are more hosts than rows, and names those that work longest', () => {
    const lines = display.lines(view)
    expect(lines[0]).toBe('  ━━━━━━━╸                  312/1000 hosts   changed 300 · failed 12')
    expect(lines[1]).toBe('  web313  ━━━━━━━━━━━━━━━━          12/18  file /x · apply 0.1 s')
    expect(lines.at(-1)).toBe('  8 more at work · 670 to come')
  })

  it('never has more lines than the terminal', () => {
    for (const rows of [5, 8, 12, 24, 60]) expect(display.lines({ ...view, rows }).length).toBeLessThanOrEqual(rows - 2)
  })
})
