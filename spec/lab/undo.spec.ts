import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Event } from '../../engine/events.ts'
import { coachingSite } from './coaching-site.ts'
import { play as commandLine } from './command-line.ts'
import { type Lab, labHosts } from './hosts.ts'
import { difference, type Picture, picture } from './picture.ts'

const root = join(import.meta.dirname, '../..')
const fleet = ['edge1', 'web1', 'db1', 'cache1'] as const

let small: Lab<'edge1' | 'cache1'>
let large: Lab<'web1' | 'db1'>
/** A project of its own, so that its runs and its plays are no others'. */
let folder: string

beforeAll(async () => {
  small = await labHosts('sid', ['edge1', 'cache1'])
  large = await labHosts('sid', ['web1', 'db1'], { memory: '768M' })
  await coachingSite(on, ['web1'], 'db1')
  // A store that is in use before the fleet is made: what it holds is to come back.
  await on('cache1', 'systemctl start redis-server && redis-cli hset rate:limits login 9 search 3 && redis-cli set x 1')
  folder = mkdtempSync(join(tmpdir(), 'fleetplay-undo-'))
  for (const name of ['plays', 'inventory']) cpSync(join(root, name), join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  for (const lab of [small, large]) await lab?.close()
})

/** What a command on a host prints, asked by the OpenSSH client: the engine has no part in it. */
async function on(host: string, command: string, input?: string): Promise<string> {
  const hosts = { ...small.hosts, ...large.hosts }
  const ended = await hosts[host as keyof typeof hosts].ssh(command, input === undefined ? {} : { input })
  if (ended.status !== 0) throw new Error(`${host}: ${command} ended with ${ended.status}: ${ended.stderr}`)
  return ended.stdout.trim()
}

const play = async (...words: readonly string[]) => await commandLine(folder, ...words)

type Pictures = Readonly<Record<string, Picture>>

async function pictures(): Promise<Pictures> {
  const all = await Promise.all(fleet.map(async (host) => [host, await picture(on, host)] as const))
  return Object.fromEntries(all)
}

/** What differs on the hosts, but for what may. */
function differences(before: Pictures, after: Pictures, exceptions: readonly RegExp[]): readonly string[] {
  const all = fleet.flatMap((host) => difference(before[host]!, after[host]!).map((line) => `${host} ${line}`))
  return all.filter((line) => !exceptions.some((exception) => exception.test(line)))
}

/** What an undo does not give back. */
const left = [
  // The folder of fleetplay itself, and those in it: they are empty, but for what is kept for undo.
  /^\w+ file \/var\/lib\/fleetplay(\/pending|\/kept|\/mysql-index)?: nothing → d 700 root:root $/,
  // The secrets of wp-config.php, before and after, so that either can be put back.
  /^web1 (file|content) \/var\/lib\/fleetplay\/kept\/[0-9a-f]{24}: nothing → (f 600 root:root |[0-9a-f]{64})$/,
  // What was removed is kept beside, closed, so that an undo of the undo has it.
  /^web1 (file|content) \/srv\/wordpress\/wp-content\/themes\/\.eistruttore\.was\.[0-9a-f]{16}[/:]/,
  // useradd and its like keep the state before their last change.
  /^web1 content \/etc\/(passwd|shadow|group|gshadow)-:/,
  // What daemons make when they are started for the first time.
  /^web1 file \/var\/lib\/nginx\/\w+: nothing → d 700 www-data:root $/,
  /^\w+ (file|content) \/var\/lib\/haproxy\/dev\/log:/,
  // A store that is stopped writes what it holds; what it holds is compared by its keys.
  /^cache1 (file|content) \/var\/lib\/redis\/dump\.rdb:/,
  // Units want it that were started; systemd stops no target because nobody wants it any more.
  /^\w+ unit network-online\.target: nothing → loaded active active$/,
]

/** What an undo of an undo has otherwise than the run had. */
const otherwise = [
  /^web1 (file|content) \/var\/lib\/fleetplay\/kept\/[0-9a-f]{24}: nothing → (f 600 root:root |[0-9a-f]{64})$/,
  // Days of watching an index begin anew.
  /^db1 content \/var\/lib\/fleetplay\/mysql-index\//,
  // The copy is kept until the next change of the folder.
  /^web1 (file|content) \/srv\/wordpress\/wp-content\/themes\/\.eistruttore\.was\.[0-9a-f]{16}[/:]/,
  /^cache1 content \/var\/lib\/redis\/dump\.rdb:/,
  /^web1 content \/etc\/(passwd|shadow|group|gshadow)-:/,
]

const refusals = (events: readonly Event[]) =>
  events.flatMap((event) =>
    event.type === 'task' && event.failure ? [[event.host, event.task.title, event.failure.code]] : [],
  )

// A run and a picture take a minute each where the hosts share their processors with others.
describe('a run of the coaching fleet', { timeout: 6 * 60_000 }, () => {
  let before: Pictures
  let after: Pictures
  let first: string
  let back: string
  let again: string

  it('is on record', async () => {
    before = await pictures()
    const run = await play('run', 'coaching-fleet', '-i', 'lab')
    expect(run.status, run.told).toBe(0)
    first = run.run!
    after = await pictures()
    for (const host of fleet) expect(difference(before[host]!, after[host]!).length).toBeGreaterThan(10)
  })

  it('is turned round on no host before somebody agrees', async () => {
    const { status, told, changed, recap } = await play('undo', first)
    expect(status, told).toBe(10)
    expect(recap.hosts).toMatchObject({ changed: 4, failed: 0 })
    expect(changed.length).toBeGreaterThan(25)
    expect(differences(after, await pictures(), [])).toEqual([])
  })

  it('leaves nothing when it is turned round', async () => {
    const undo = await play('undo', first, '--yes')
    expect(undo.status, undo.told).toBe(0)
    back = undo.run!
    expect(differences(before, await pictures(), left)).toEqual([])
  })

  it('is there again when that is turned round', async () => {
    const undo = await play('undo', back, '--yes')
    expect(undo.status, undo.told).toBe(0)
    again = undo.run!
    expect(differences(after, await pictures(), otherwise)).toEqual([])
    const run = await play('run', 'coaching-fleet', '-i', 'lab', '--skip-tags', 'watch')
    expect(run.status, run.told).toBe(0)
    expect(run.changed).toEqual([])
  })

  it('is turned round for one task on one host', async () => {
    const undo = await play('undo', again, '--task', 'file /etc/motd', '--limit', 'web1', '--yes')
    expect(undo.status, undo.told).toBe(0)
    expect(await on('web1', 'cat /etc/motd')).not.toContain('web1 of coaching.example')
    expect(await on('edge1', 'cat /etc/motd')).toBe('edge1 of coaching.example')
    expect(await on('web1', 'sysctl -n net.core.rmem_max')).toBe('16777216')
  })

  it('says of a place that the play does not name any more how it can be turned round', async () => {
    const file = join(folder, 'plays/coaching-fleet.ts')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace("block('/etc/hosts'", "block('/etc/hosts.other'"))
    const { status, failed, events } = await play('undo', again, '--limit', 'edge1')
    writeFileSync(file, text)
    expect(status).toBe(2)
    expect(refusals(events)).toEqual([['edge1', 'block /etc/hosts: fleet', 'E_REFUSED']])
    expect(failed).toMatchObject([
      {
        failure: {
          message: 'The play does not name /etc/hosts any more, so nobody knows how to write it.',
          hint: 'Take the play as it was when it ran, from your version control, and try again.',
        },
      },
    ])
  })

  it('is turned round but for what somebody has changed since, and that only by --rest', async () => {
    await on('web1', 'sysctl -qw net.core.rmem_max=300000')
    const drifted = await picture(on, 'web1')
    const refused = await play('undo', again, '--limit', 'web1', '--yes')
    expect(refused.status).toBe(2)
    expect(refusals(refused.events)).toEqual([['web1', 'sysctl 99-udp-dns-tuning', 'E_MOVED']])
    expect(refused.told).toContain('net.core.rmem_max is 300000 now; the run left 16777216.')
    expect(difference(drifted, await picture(on, 'web1'))).toEqual([])

    const rest = await play('undo', again, '--limit', 'web1', '--yes', '--rest')
    expect(rest.status, rest.told).toBe(0)
    const kept = [
      /^web1 (file|content) \/etc\/sysctl\.d\/99-udp-dns-tuning\.conf:/,
      /^web1 sysctl net\.(core\.([rw]mem_(max|default)|netdev_max_backlog)|ipv4\.udp_mem):/,
      /^web1 buffer resolver:/,
    ]
    const [was, is] = [{ ...before }, { ...before, web1: await picture(on, 'web1') }]
    expect(differences(was, is, [...left, ...kept])).toEqual([])
    expect(await on('web1', 'sysctl -n net.core.rmem_max net.core.wmem_max')).toBe('300000\n16777216')
    expect(await on('edge1', 'sysctl -n net.core.wmem_max')).toBe('16777216')
  })
})

describe('a run that cannot be turned round whole', () => {
  it('says what stays, and why', async () => {
    writeFileSync(
      join(folder, 'plays/mark.ts'),
      `import { command, file, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
export default fleet.play('mark').hosts('cache').tasks([
  file('/etc/mark').content('made\\n'),
  command('mark', sh\`echo x >>/var/tmp/mark\`).always(),
])
`,
    )
    const { run, status, told } = await play('run', 'mark', '-i', 'lab')
    expect(status, told).toBe(0)
    const undo = await play('undo', run!, '--yes')
    expect(undo.status, undo.told).toBe(0)
    expect(undo.tasks.filter(({ outcome }) => outcome === 'skipped')).toMatchObject([
      {
        task: { title: 'command mark' },
        reason: expect.stringContaining('cannot be turned round: What a command did'),
      },
      { task: { title: 'command mark' } },
    ])
    expect(await on('cache1', 'ls /etc/mark 2>&1 || cat /var/tmp/mark')).toMatch(/No such file[^]*\nx$/)
  })
})
