import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../../dsl/task.ts'
import { file, link, resolved, restart } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { foundUnit } from '../../../modules/unit.ts'
import { type ResolvedLine, resolvConf, resolvedLines } from '../../../modules/systemd/resolved.ts'
import { type ResolvedSettings, settingLines } from '../../../modules/systemd/resolved-settings.ts'
import type { FileState } from '../../../probe/file.ts'
import { mockHost } from '../../../testing/mock-host.ts'
import { run } from '../../../testing/run.ts'
import { shells } from '../../connection/shells.ts'
import { answers, inShell, readScript } from '../answers.ts'

const folder = '/etc/systemd/resolved.conf.d'
const path = `${folder}/fleet.conf`
const fleet = resolved('fleet')
const again = restart('systemd-resolved')
const text = (content: string): FileState => ({
  type: 'file',
  content: { text: content },
  mode: '0644',
  owner: 'root',
  group: 'root',
})
const told = async (task: Task, host = mockHost('web1')) => {
  const result = await run(task, host, { check: true })
  const [only] = result.tasks
  return {
    failure: only!.failure && [only!.failure.message, only!.failure.hint],
    notes: only!.notes,
    trips: result.recap.trips,
  }
}

describe('resolved()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = resolved('fleet')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'resolved("fleet") says nothing: set() a setting, or say .absent()',
    )
  })

  it('knows its settings by type', () => {
    const typed = () => {
      // @ts-expect-error -- none of the words
      fleet.set({ Cache: 'maybe' })
      // @ts-expect-error -- settings are spelt as the daemon spells them
      fleet.set({ cache: 'no' })
      // @ts-expect-error -- a list
      fleet.set({ DNS: '1.1.1.1' })
      // @ts-expect-error -- a span has a unit
      fleet.set({ StaleRetentionSec: 3600 })
    }
    expect(typed).toBeTypeOf('function')
  })

  it('writes a drop-in in which a list takes the place of what was said before', async () => {
    const host = mockHost('web1', { os: 'debian sid' })
    const task = fleet
      .set({ Cache: 'no-negative', DNS: ['10.0.0.2', '[2001:db8::2]:853%eth0#ns.example'], FallbackDNS: [] })
      .set({ Domains: ['~.', 'corp.example'], DNSStubListenerExtra: ['172.17.0.1', 'udp:[::1]:5300'] })
      .set({ StaleRetentionSec: '1h' })
      .notify(again)
    const result = await run(task, host)
    expect(host.holds(fileAt(path))).toEqual(
      text(`# Managed by fleetplay: changes made here are overwritten.
[Resolve]
Cache=no-negative
DNS=
DNS=10.0.0.2 [2001:db8::2]:853%eth0#ns.example
FallbackDNS=
Domains=
Domains=~. corp.example
DNSStubListenerExtra=
DNSStubListenerExtra=172.17.0.1
DNSStubListenerExtra=udp:[::1]:5300
StaleRetentionSec=3600
`),
    )
    expect(result.reactions.map(({ handler, outcome }) => [handler, outcome])).toEqual([
      ['restart systemd-resolved', 'done'],
    ])
    expect((await run(task, host)).recap.hosts.changed).toBe(0)
  })

  it('says that nothing happens before the daemon is restarted, where no handler is notified', async () => {
    const reads = 'systemd-resolved reads it when it is restarted, and no handler is notified.'
    expect(await told(fleet.set({ Cache: 'no' }))).toMatchObject({ notes: [reads] })
    expect(await told(fleet.set({ Cache: 'no' }).notify(again))).toMatchObject({ notes: [] })
    expect(await told(fleet.absent())).toMatchObject({ notes: [] })
    expect(await told(fleet.absent(), mockHost('web1').has(fileAt(path), text('')))).toMatchObject({ notes: [reads] })
  })

  it.each([
    ['a/b', 'resolved("a/b"): not a name for a drop-in'],
    ['fleet.conf', 'resolved("fleet.conf"): not a name for a drop-in'],
  ])('refuses the name %j', (name, problem) => {
    expect(
      resolved(name)
        .set({ Cache: 'no' })
        .problems.map(({ message }) => message),
    ).toEqual([problem])
  })

  it.each<[ResolvedSettings, string]>([
    [{ Cache: 'maybe' as 'no' }, 'Cache: "maybe" is none of yes, no, no-negative'],
    [{ cache: 'no' } as ResolvedSettings, 'cache is no setting that is known here; did you mean Cache?'],
    [{ DNS: '1.1.1.1' as unknown as [] }, 'DNS: "1.1.1.1" is not a list'],
    [
      { DNS: ['ns.example'] },
      'DNS: "ns.example" has no IP address; the daemon takes no names, and IPv6 with a port in brackets',
    ],
    [{ DNS: ['1.1.1.1%'] }, 'DNS: "1.1.1.1%" names no interface behind its %'],
    [{ Domains: ['a b'] }, 'Domains: "a b" is not the name of a domain'],
    [
      { DNSStubListenerExtra: ['fe80::1%eth0'] },
      'DNSStubListenerExtra: "fe80::1%eth0" has no IP address; the daemon takes no names, and IPv6 with a port in brackets',
    ],
    [{ StaleRetentionSec: '1500ms' }, 'StaleRetentionSec: "1500ms" is not a number of whole seconds'],
    [
      { DNSStubListenerExtra: ['127.0.0.54'] },
      'DNSStubListenerExtra: systemd-resolved listens on 127.0.0.54 anyhow, and finds it taken',
    ],
    [
      { DNSStubListenerExtra: ['udp:127.0.0.53:53'] },
      'DNSStubListenerExtra: systemd-resolved listens on 127.0.0.53 anyhow, and finds it taken',
    ],
  ])('refuses %j before any connection', (settings, problem) => {
    expect(fleet.set(settings).problems.map(({ message }) => message)).toEqual([`resolved fleet: ${problem}`])
  })

  it('takes the address of the stub where the stub does not, or on another port', () => {
    expect(fleet.set({ DNSStubListener: 'no', DNSStubListenerExtra: ['127.0.0.53'] }).problems).toEqual([])
    expect(fleet.set({ DNSStubListenerExtra: ['127.0.0.53:5353'] }).problems).toEqual([])
  })

  it('takes each setting once', () => {
    expect(
      fleet
        .set({ Cache: 'no' })
        .set({ Cache: 'yes' })
        .problems.map(({ message }) => message),
    ).toEqual(['resolved fleet: Cache is set twice'])
  })
})

describe('what the daemon only logs, while its restart ends well', () => {
  const said = (image: string) =>
    readFileSync(new URL(`../../fixtures/resolved/${image}.txt`, import.meta.url), 'utf8')
      .split(/^== /m)
      .slice(1)
      .map((entry) => {
        const [, name, value, log] = /^([^=]+)=(.*) rc=0\n([^]*)$/.exec(entry)!
        return { name: name!, value: value!, isTaken: log!.trim() === '' }
      })
  const lists = ['DNS', 'FallbackDNS', 'Domains', 'DNSStubListenerExtra']
  const ours = (name: string, value: string) => {
    const span = /^-?\d+$/.test(value) ? `${value}s` : value
    const given = lists.includes(name) ? value.split(' ').filter(Boolean) : name.endsWith('Sec') ? span : value
    const problems = fleet.set({ [name]: given } as ResolvedSettings).problems
    return problems.length === 0
  }
  /** What the daemon takes and nobody can mean, and other spellings of yes and no. */
  const stricter = ['Cache=true', 'Cache=NO', 'DNS=1.1.1.1#-bad..name', 'Domains=~*', 'Domains=.']

  it.each(['sid', 'bookworm'])('is refused here too, and nothing else: %s', (image) => {
    const differs = said(image).filter(({ name, value, isTaken }) => {
      // Whether a host has an interface or a version of systemd is seen in the plan.
      if (value === '1.1.1.1%eth9' || name === 'StaleRetentionSec') return false
      return ours(name, value) !== isTaken
    })
    expect(said(image).length).toBeGreaterThan(35)
    expect(differs.map(({ name, value }) => `${name}=${value}`).toSorted()).toEqual(stricter.toSorted())
  })

  it('is a span without a unit that it has, or less than nothing', () => {
    expect(settingLines('StaleRetentionSec', 'foo')).toHaveProperty('problem')
    expect(settingLines('StaleRetentionSec', '-1s')).toHaveProperty('problem')
  })
})

describe('resolved() in the plan', () => {
  const host = (options: Parameters<typeof mockHost>[1] = {}) => mockHost('web1', options)

  it('refuses a host without systemd-resolved', async () => {
    const bare = host().has(foundUnit('systemd-resolved.service'), { enabled: null, nearest: null })
    expect(await told(fleet.set({ Cache: 'no' }), bare)).toMatchObject({
      failure: ['systemd-resolved is not on this host.', "Install it before: aptPackage('systemd-resolved')"],
    })
  })

  it('refuses a setting that its systemd does not know, and asks for the version only then', async () => {
    const stale = fleet.set({ StaleRetentionSec: '1h' }).notify(again)
    expect(await told(stale)).toMatchObject({
      failure: ['StaleRetentionSec is for systemd 254 and later, and this host has 252.', undefined],
    })
    expect(await told(stale, host({ os: 'debian sid' }))).toMatchObject({ failure: undefined, trips: 3 })
    expect(await told(fleet.set({ Cache: 'no' }))).toMatchObject({ failure: undefined, trips: 2 })
  })

  it('refuses a server on an interface that the host does not have', async () => {
    expect(await told(fleet.set({ DNS: ['1.1.1.1%eth9'] }))).toMatchObject({
      failure: ['DNS: this host has no interface eth9.', undefined],
    })
    expect(await told(fleet.set({ DNS: ['1.1.1.1%eth0#one.example'] }))).toMatchObject({ failure: undefined })
  })

  it.each<[ResolvedLine, string | undefined]>([
    [
      { file: `${folder}/zz.conf`, name: 'Cache', value: 'no' },
      `${folder}/zz.conf says Cache=no, and is read after ${path}.`,
    ],
    [
      { file: '/run/systemd/resolved.conf.d/zz.conf', name: 'DNS', value: '9.9.9.9' },
      `/run/systemd/resolved.conf.d/zz.conf says DNS=9.9.9.9, and is read after ${path}.`,
    ],
    [{ file: `${folder}/zz.conf`, name: 'Cache', value: 'yes' }, undefined],
    [{ file: `${folder}/zz.conf`, name: 'LLMNR', value: 'no' }, undefined],
    [{ file: '/usr/lib/systemd/resolved.conf.d/00-a.conf', name: 'Cache', value: 'no' }, undefined],
    [{ file: path, name: 'Cache', value: 'no' }, undefined],
  ])('refuses what a later file says otherwise: %j', async (line, message) => {
    const { failure } = await told(fleet.set({ Cache: 'yes', DNS: ['1.1.1.1'] }), host().has(resolvedLines, [line]))
    expect(failure?.[0]).toBe(message)
  })

  it('decides when it is reached, where an earlier task takes the later file away', async () => {
    const later = `${folder}/zz.conf`
    const with1 = host()
      .has(fileAt(later), text('[Resolve]\nCache=no\n'))
      .has(resolvedLines, [{ file: later, name: 'Cache', value: 'no' }])
    const result = await run([file(later).absent(), fleet.set({ Cache: 'yes' })], with1, { check: true })
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
  })

  describe('where /etc/resolv.conf sends programs to the stub', () => {
    const byFile = () => host().has(resolvConf, text('search example\nnameserver 127.0.0.53\n'))
    const elsewhere = () => host().has(resolvConf, { type: 'link', target: '../run/systemd/resolve/resolv.conf' })
    const hint = "Send them elsewhere before: link('/etc/resolv.conf').to('../run/systemd/resolve/resolv.conf')"

    it('refuses to leave nothing there: DNSStubListener=no with a file of its own', async () => {
      const none = fleet.set({ DNSStubListener: 'no' }).notify(again)
      const reason = '/etc/resolv.conf sends programs to 127.0.0.53, where nothing would listen.'
      expect(await told(none, byFile())).toMatchObject({ failure: [reason, hint] })
      expect(await told(none, elsewhere())).toMatchObject({ failure: undefined, notes: [] })
    })

    it('notes of DNSStubListener=no with the link of systemd, which then leads to the servers', async () => {
      expect(await told(fleet.set({ DNSStubListener: 'no' }).notify(again))).toEqual({
        failure: undefined,
        notes: ['Programs that read /etc/resolv.conf will ask the servers themselves, without the cache.'],
        trips: 2,
      })
    })

    it('refuses tcp, since programs ask by UDP first, and notes what udp leaves out', async () => {
      const reason = '/etc/resolv.conf sends programs to 127.0.0.53, and they ask by UDP, which tcp leaves closed.'
      const tcp = fleet.set({ DNSStubListener: 'tcp' }).notify(again)
      expect(await told(tcp)).toMatchObject({ failure: [reason, hint] })
      expect(await told(tcp, byFile())).toMatchObject({ failure: [reason, hint] })
      expect(await told(tcp, elsewhere())).toMatchObject({ failure: undefined })
      expect(await told(fleet.set({ DNSStubListener: 'udp' }).notify(again))).toMatchObject({
        notes: ['Answers that are too long for UDP cannot be had from 127.0.0.53.'],
      })
    })

    it('sees what an earlier task of the play makes of it', async () => {
      const tasks = [
        link('/etc/resolv.conf').to('../run/systemd/resolve/resolv.conf'),
        fleet.set({ DNSStubListener: 'tcp' }).notify(again),
      ]
      expect((await run(tasks, host(), { check: true })).hosts).toEqual({ web1: 'changed' })
    })
  })
})

it('an address that another process holds is tested before the restart, which would end well without it', async () => {
  const extra = fleet.set({ DNSStubListenerExtra: ['127.0.0.2', 'tcp:[::1]:5353', 'udp:::1'] })
  const guards = extra.wishes.flatMap(({ guard }) => guard ?? [])
  expect(guards.map(({ name }) => name)).toEqual(['test of 127.0.0.2:53, [::1]:5353, [::1]:53'])
  const said =
    '127.0.0.2:53 is held by dnsmasq (process 9), so systemd-resolved.service would go on without 127.0.0.2:53.'
  const host = mockHost('web1').fails(guards[0]!, { stderr: `${said}\n` })
  const result = await run(extra.notify(again), host)
  expect(result.tasks[0]!.failure?.message).toContain(`it was put back: ${said}`)
  expect(result.reactions).toEqual([])
  expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
  expect(fleet.set({ Cache: 'no' }).wishes.flatMap(({ guard }) => guard ?? [])).toEqual([])
})

describe('resolvedLines', () => {
  it('are read by name over the folders, as systemd orders them', () => {
    const stdout = Buffer.from(`${folder}/10-a.conf
${folder}/50-t.conf
/run/systemd/resolved.conf.d/60-x.conf
/usr/lib/systemd/resolved.conf.d/00-disable-mdns.conf

${folder}/10-a.conf:[Resolve]
${folder}/10-a.conf:DNS=10.9.9.1
${folder}/50-t.conf:[Resolve]
${folder}/50-t.conf:Cache = no 
/run/systemd/resolved.conf.d/60-x.conf:[Resolve]
/run/systemd/resolved.conf.d/60-x.conf:Cache=yes
/usr/lib/systemd/resolved.conf.d/00-disable-mdns.conf:[Resolve]
/usr/lib/systemd/resolved.conf.d/00-disable-mdns.conf:MulticastDNS=no
`)
    expect(answers([resolvedLines], { stdout })[0]).toEqual([
      { file: '/usr/lib/systemd/resolved.conf.d/00-disable-mdns.conf', name: 'MulticastDNS', value: 'no' },
      { file: `${folder}/10-a.conf`, name: 'DNS', value: '10.9.9.1' },
      { file: `${folder}/50-t.conf`, name: 'Cache', value: 'no' },
      { file: '/run/systemd/resolved.conf.d/60-x.conf', name: 'Cache', value: 'yes' },
    ])
  })

  it.each(shells.filter(({ there }) => there))('are asked in $title', ({ name }) => {
    const [lines] = answers([resolvedLines], inShell(name, readScript([resolvedLines])))
    expect(Array.isArray(lines)).toBe(true)
  })
})
