import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { Failure } from '../../errors/failure.ts'
import { file, handler, sh, shape, sysctl } from '../../index.ts'
import { fileAt } from '../../modules/file.ts'
import { type KernelValue, kernelParameter, keyName } from '../../modules/kernel-parameter.ts'
import { type BootLine, bootLines } from '../../modules/sysctl-boot.ts'
import { parseValue, type SysctlKey } from '../../modules/sysctl-keys.ts'
import type { FileState } from '../../probe/file.ts'
import { mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'
import { shells } from '../connection/shells.ts'
import { answers, inShell, readScript } from './answers.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/sysctl/${name}`, import.meta.url))
const problems = (task: { problems: readonly Failure[] }) => task.problems.map(({ message }) => message)
const path = '/etc/sysctl.d/99-udp-dns-tuning.conf'
const tuning = sysctl('99-udp-dns-tuning')
const failure = async (task: Task, host = mockHost('web1')) => {
  const [told] = (await run(task, host, { check: true })).tasks
  return told?.failure
}

describe('sysctl()', () => {
  it('is no task before it says something', async () => {
    // @ts-expect-error -- an unfinished chain is not assignable to Task
    const unfinished: Task = sysctl('99-x')
    await expect(run(unfinished, mockHost('web1'))).rejects.toThrow(
      'sysctl 99-x says nothing: set() a parameter, or say .absent()',
    )
  })

  it('takes of a well-known key its own kind, and of any other a number, a text or a list', () => {
    const typed = () => {
      // @ts-expect-error -- not a unit that it knows
      tuning.set('net.core.rmem_max', '16M')
      // @ts-expect-error -- three values
      tuning.set('net.ipv4.udp_mem', [1, 2])
      // @ts-expect-error -- 0 or 1
      tuning.set('net.ipv4.ip_forward', 2)
      // @ts-expect-error -- a number, whose unit is the kernel's
      tuning.set('net.core.netdev_max_backlog', '65536')
      // @ts-expect-error -- neither number, nor text, nor list
      tuning.set('kernel.some_key', true)
    }
    expect(typed).toBeTypeOf('function')
    expect(parseValue('net.core.rmem_max', '16MiB')).toBe('16777216')
    expect(parseValue('net.ipv4.tcp_rmem', [4096, '128KiB', '16MiB'])).toBe('4096 131072 16777216')
    expect(parseValue('kernel.some_key', [1, 'two', -3])).toBe('1 two -3')
    expect(parseValue('kernel.some_key', ' a\t b ')).toBe('a b')
  })

  it.each<[SysctlKey, unknown, string]>([
    ['net.core.rmem_max', '16M', '"16M" is not an amount such as 16MiB or 64KiB'],
    ['net.core.rmem_max', 2303, '2303 is not a whole number from 2304 to 2147483647'],
    ['net.core.wmem_max', 4607, '4607 is not a whole number from 4608 to 2147483647'],
    ['net.core.rmem_max', '2GiB', '2147483648 is not a whole number from 2304 to 2147483647'],
    ['vm.swappiness', 300, '300 is not a whole number from 0 to 200'],
    ['net.ipv4.udp_mem', 5, '5 is not a list of 3 values'],
    ['net.ipv4.udp_mem', [1, 2, 3, 4], '[1,2,3,4] is not a list of 3 values'],
    ['net.ipv4.ip_local_reserved_ports', '80-70', '"80-70" is neither a port nor a range such as 9000-9002'],
    ['kernel.some_key', '0x1000000', '"0x1000000" is read by the kernel as 16777216; write it so'],
    ['kernel.some_key', '010000000', '"010000000" is read by the kernel as 2097152; write it so'],
    ['kernel.some_key', '16M', '"16M" has a unit, which the kernel does not take; give the number itself'],
    [
      'net.core.rmem_maxx',
      '16MiB',
      'did you mean net.core.rmem_max? "16MiB" has a unit, which the kernel does not take; give the number itself',
    ],
    ['kernel.some_key', '', '"" is empty'],
    ['kernel.some_key', '3000 # x', '"3000 # x" holds a comment; give the reason as the third argument'],
    ['kernel.some_key', 'a\nb', '"a\\nb" is more than one line'],
    ['kernel.some_key', 1.5, `1.5 is not a whole number from ${Number.MIN_SAFE_INTEGER} to ${Number.MAX_SAFE_INTEGER}`],
    ['kernel.some_key', undefined, 'undefined is neither a number nor a text'],
  ])('refuses %s = %j before any connection', (key, value, problem) => {
    expect(problems(tuning.set(key, value as string))).toEqual([`sysctl 99-udp-dns-tuning: ${key}: ${problem}`])
  })

  it.each([
    ['a/b', 'sysctl("a/b"): not a name for a file'],
    ['99-x.conf', 'sysctl("99-x.conf"): not a name for a file'],
    ['', 'sysctl(""): not a name for a file'],
  ])('refuses the name %j', (name, problem) => {
    expect(problems(sysctl(name).set('vm.swappiness', 10))).toEqual([problem])
  })

  it('refuses a key twice, and two keys of which the kernel keeps one', () => {
    expect(problems(tuning.set('vm.swappiness', 1).set('vm.swappiness', 2))).toEqual([
      'sysctl 99-udp-dns-tuning: vm.swappiness is set twice',
    ])
    expect(problems(tuning.set('vm.dirty_ratio', 1).set('vm.dirty_bytes', '1MiB'))).toEqual([
      'sysctl 99-udp-dns-tuning: of vm.dirty_bytes and vm.dirty_ratio the kernel keeps one only',
    ])
  })

  it('writes a file of assignments and # alone: systemd 262 fails its unit at any other line', async () => {
    const host = mockHost('web1').has(kernelParameter('net.ipv4.conf.vec0/100.rp_filter'), '0')
    const task = tuning
      .set('net.core.rmem_default', '16MiB', 'Room for a burst\nof answers; see #12')
      .set('net.ipv4.udp_mem', [262_144, 524_288, 1_048_576])
      .set('net/ipv4/conf/vec0.100/rp_filter', 2)
      .set('net.ipv4.ip_local_reserved_ports', [])
    const result = await run(task, host)
    expect(host.holds(fileAt(path))).toEqual({
      type: 'file',
      content: {
        text: [
          '# Managed by fleetplay: changes made here are overwritten.',
          '# Room for a burst',
          '# of answers; see #12',
          'net.core.rmem_default = 16777216',
          'net.ipv4.udp_mem = 262144 524288 1048576',
          'net.ipv4.conf.vec0/100.rp_filter = 2',
          'net.ipv4.ip_local_reserved_ports =',
          '',
        ].join('\n'),
      },
      mode: '0644',
      owner: 'root',
      group: 'root',
    })
    expect(result.changes.map(({ label, before, after }) => `${label}: ${before} → ${after}`)).toEqual([
      'net.core.rmem_default: 212992 → 16777216',
      'net.ipv4.udp_mem: 8670 11562 17340 → 262144 524288 1048576',
      'net.ipv4.conf.vec0/100.rp_filter: 0 → 2',
      `${path}: absent → 7 lines 0644 root:root`,
    ])
    expect((await run(task, host)).recap.hosts.changed).toBe(0)
  })

  it('never leaves a rejected value in a file: the kernel is asked first, and where it refuses, nothing is written', async () => {
    const task = tuning.set('net.ipv4.tcp_congestion_control', 'nosuch')
    expect(task.wishes.map(({ resource }) => resource.key)).toEqual([
      'sysctl:net.ipv4.tcp_congestion_control',
      'sysctl.d:all',
      'file:/etc/sysctl.conf',
      `file:${path}`,
    ])
    const stderr = 'tee: /proc/sys/net/ipv4/tcp_congestion_control: No such file or directory\n'
    const host = mockHost('web1').fails(kernelParameter('net.ipv4.tcp_congestion_control'), { stderr })
    const result = await run(task, host)
    expect(result.tasks[0]).toMatchObject({ outcome: 'failed' })
    expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
  })

  it('heals what drifted, the value or the file', async () => {
    const task = tuning.set('net.core.somaxconn', 8192)
    const host = mockHost('web1')
    await run(task, host)
    host.has(kernelParameter('net.core.somaxconn'), '4096')
    expect((await run(task, host)).changes.map(({ key }) => key)).toEqual(['sysctl:net.core.somaxconn'])
    const there = host.holds(fileAt(path)) as FileState & { type: 'file' }
    host.has(fileAt(path), { ...there, content: { text: 'net.core.somaxconn = 1\n' }, mode: '0600' })
    expect((await run(task, host)).changes.map(({ key }) => key)).toEqual([`file:${path}`])
    expect(host.holds(fileAt(path))).toEqual({ ...there, mode: '0600' })
  })

  it('never runs sysctl --system, which reads /etc/sysctl.conf last, unlike a boot', () => {
    const texts = tuning
      .set('vm.swappiness', 10)
      .wishes.flatMap(({ resource }) => [
        readScript([resource]).text,
        ...(resource.key.startsWith('sysctl:') ? [resource.write!('10', '60').text] : []),
      ])
    expect(texts).toHaveLength(5)
    expect(texts.join('\n')).not.toMatch(/--system|sysctl -/)
  })

  it('tells what a change does not reach, where no handler is notified', async () => {
    const reload = handler('again', sh`true`)
    const notes = async (task: Task) => (await run(task, mockHost('web1'), { check: true })).tasks[0]!.notes
    expect(await notes(tuning.set('net.core.rmem_default', '16MiB'))).toEqual([
      'net.core.rmem_default: sockets that are open keep their buffers until their daemons are restarted',
    ])
    expect(await notes(tuning.set('net.core.rmem_default', '16MiB').notify(reload))).toEqual([])
    expect(await notes(tuning.set('net.core.default_qdisc', 'fq_codel'))).toEqual([
      'net.core.default_qdisc: network devices that are there keep their qdisc; tcQdisc() changes one',
    ])
  })

  it('tells that a raise may be a lower: newer kernels have 4 MiB where older ones had 208 KiB', async () => {
    const host = mockHost('web1').has(kernelParameter('net.core.rmem_max'), '4194304')
    const [told] = (await run(tuning.set('net.core.rmem_max', '1MiB'), host, { check: true })).tasks
    expect(told!.notes).toEqual(['net.core.rmem_max is lowered from 4194304 to 1048576'])
  })

  it('tells that rmem_max alone changes nothing for a daemon that asks for no buffer, as systemd-resolved', async () => {
    const notes = async (task: Task, host = mockHost('web1')) =>
      (await run(task, host, { check: true })).tasks[0]!.notes
    const limit = tuning.set('net.core.rmem_max', '16MiB')
    expect(await notes(limit)).toEqual([
      'net.core.rmem_max: a daemon that asks for no buffer of its own has net.core.rmem_default all the same',
    ])
    const both = limit.set('net.core.rmem_default', '16MiB').notify(handler('again', sh`true`))
    expect(await notes(both)).toEqual([])
    const done = mockHost('web1').has(kernelParameter('net.core.rmem_max'), '16777216')
    expect(await notes(limit, done)).toEqual([])
  })

  it('tells that udp_mem still drops what a larger buffer would have taken: 0 of 5000, RcvbufErrors 0, MemErrors 5000', async () => {
    const again = handler('again', sh`true`)
    const notes = async (task: Task, host = mockHost('web1')) =>
      (await run(task.notify(again), host, { check: true })).tasks[0]!.notes
    const large = tuning.set('net.core.rmem_default', '16MiB')
    const drops = (limit: number) => [
      `net.core.rmem_default: net.ipv4.udp_mem lets all UDP sockets together have ${limit} bytes, and drops what is more`,
    ]
    expect(await notes(large.set('net.ipv4.udp_mem', [20, 40, 60]))).toEqual(drops(60 * 4096))
    const small = mockHost('web1').has(kernelParameter('net.ipv4.udp_mem'), '20 40 60')
    expect(await notes(large, small)).toEqual(drops(60 * 4096))
    expect(await notes(large.set('net.ipv4.udp_mem', [262_144, 524_288, 1_048_576]), small)).toEqual([])
    // In a container there is no such key.
    expect(await notes(large, mockHost('web1').has(kernelParameter('net.ipv4.udp_mem'), { type: 'absent' }))).toEqual(
      [],
    )
  })

  it('tells that /etc/sysctl.conf says otherwise: no boot heeds it, and sysctl --system reads it last', async () => {
    const old = (text: string) =>
      mockHost('web1').has(fileAt('/etc/sysctl.conf'), {
        type: 'file',
        content: { text },
        mode: '0644',
        owner: 'root',
        group: 'root',
      })
    const notes = async (text: string) =>
      (await run(tuning.set('vm.swappiness', 10), old(text), { check: true })).tasks[0]!.notes
    expect(await notes('# vm.swappiness = 1\nvm.swappiness = 60\n')).toEqual([
      'vm.swappiness: /etc/sysctl.conf says 60, which no boot heeds, but `sysctl --system` by hand',
    ])
    expect(await notes('vm.swappiness=10\nvm.max_map_count=1\n#vm.swappiness=60\n')).toEqual([])
  })

  it('has ports as the kernel rewrites them: sorted, and neighbours joined', () => {
    expect(parseValue('net.ipv4.ip_local_reserved_ports', '8080,9000-9002,8081')).toBe('8080-8081,9000-9002')
    expect(parseValue('net.ipv4.ip_local_reserved_ports', [9000, '80-81'])).toBe('80-81,9000')
  })

  it('removes its file and tells that the running kernel keeps the values', async () => {
    const content = { text: '# x\nnet.core.rmem_max = 1\nvm.swappiness=10\n' }
    const host = mockHost('web1').has(fileAt(path), {
      type: 'file',
      content,
      mode: '0644',
      owner: 'root',
      group: 'root',
    })
    const result = await run(tuning.absent(), host)
    expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
    expect(result.tasks[0]!.notes).toEqual([
      'net.core.rmem_max, vm.swappiness: the running kernel keeps the value until the next boot',
    ])
    expect((await run(tuning.absent(), host)).recap.hosts.changed).toBe(0)
  })
})

describe('sysctl() in the plan', () => {
  it.each<[string, KernelValue, string, string | undefined]>([
    [
      'net.core.rmem_mx',
      { type: 'absent', nearest: 'net.core.rmem_max' },
      'The kernel of this host has no net.core.rmem_mx.',
      'Did you mean net.core.rmem_max?',
    ],
    [
      // In a container udp_mem does not exist, and a neighbour's name would mislead.
      'net.ipv4.udp_wmem_min',
      { type: 'absent', nearest: 'net.ipv4.tcp_wmem' },
      'The kernel of this host has no net.ipv4.udp_wmem_min.',
      'A module that is not loaded may bring it; in a container, keys of the whole machine are set on the machine itself.',
    ],
    [
      'net.ipv4.route.flush',
      { type: 'write-only' },
      'net.ipv4.route.flush can be written but not read, so nothing can be kept there.',
      'Use command() with a guard for what is done once.',
    ],
    [
      'net.core.rmem_max',
      { type: 'read-only', value: '212992' },
      'net.core.rmem_max is 212992 and read-only.',
      'In a container, keys of the whole machine are set on the machine itself.',
    ],
    ['kernel.some_list', '4 4 1 7', 'kernel.some_list has 4 values (4 4 1 7), and the play gives 1.', undefined],
  ])('refuses %s where it is %j', async (key, now, message, hint) => {
    const host = mockHost('web1').has(kernelParameter(key), now)
    expect(await failure(tuning.set(key, 4096), host)).toMatchObject({ code: 'E_REFUSED', message, hint })
    expect(host.holds(fileAt(path))).toEqual({ type: 'absent' })
  })

  it('refuses what the user may not write, and says so', async () => {
    const host = mockHost('web1', { facts: { user: 'deploy' } }).has(kernelParameter('vm.swappiness'), {
      type: 'read-only',
      value: '60',
    })
    const play = shape({ groups: {} })
      .play('p')
      .hosts('all')
      .tasks([tuning.set('vm.swappiness', 10)])
    expect((await run(play, host)).tasks[0]!.failure).toMatchObject({
      message: 'vm.swappiness is 60, and deploy may not write it.',
      hint: 'Let the play or the task become root: `.become()`.',
    })
  })

  it('takes a read-only key for done where it has the value', async () => {
    const host = mockHost('web1').has(kernelParameter('vm.swappiness'), { type: 'read-only', value: '10' })
    expect((await run(tuning.set('vm.swappiness', 10), host)).changes.map(({ key }) => key)).toEqual([`file:${path}`])
  })

  it.each<[BootLine, string]>([
    [
      { file: '/etc/sysctl.d/99-zz-other.conf', key: 'vm.swappiness', value: '2004' },
      `At boot /etc/sysctl.d/99-zz-other.conf sets vm.swappiness to 2004, after ${path} has set it to 10.`,
    ],
    [
      { file: '/run/sysctl.d/99-zz.conf', key: 'vm.swappiness', value: null },
      `At boot /run/sysctl.d/99-zz.conf excludes vm.swappiness, after ${path} has set it to 10.`,
    ],
  ])('refuses a value that a later file would take back at boot: %j', async (line, message) => {
    const host = mockHost('web1').has(bootLines, [line])
    expect(await failure(tuning.set('vm.swappiness', 10), host)).toMatchObject({ code: 'E_REFUSED', message })
    const calm = mockHost('web1', { facts: { systemd: false } }).has(bootLines, [line])
    expect(await failure(tuning.set('vm.swappiness', 10), calm)).toBeUndefined()
  })

  it.each<BootLine>([
    { file: '/etc/sysctl.d/99-zz.conf', key: 'vm.swappiness', value: '10' },
    { file: '/etc/sysctl.d/99-zz.conf', key: 'vm.max_map_count', value: '1' },
    // On Debian 12 this is a link to /etc/sysctl.conf, and sorted before ours.
    { file: '/etc/sysctl.d/99-sysctl.conf', key: 'vm.swappiness', value: '60' },
    { file: path, key: 'vm.swappiness', value: '60' },
  ])('lets be what does not take the value back: %j', async (line) => {
    expect(await failure(tuning.set('vm.swappiness', 10), mockHost('web1').has(bootLines, [line]))).toBeUndefined()
  })

  it('decides when it is reached, where an earlier task takes the later file away', async () => {
    const other = '/etc/sysctl.d/99-zz.conf'
    const host = mockHost('web1')
      .has(bootLines, [{ file: other, key: 'vm.swappiness', value: '1' }])
      .has(fileAt(other), { type: 'file', content: { text: '' }, mode: '0644', owner: 'root', group: 'root' })
    const result = await run([file(other).absent(), tuning.set('vm.swappiness', 10)], host, { check: true })
    expect(result.tasks.map(({ outcome }) => outcome)).toEqual(['changed', 'changed'])
    expect(result.tasks[1]!.notes).toEqual([expect.stringContaining(`known after file ${other}`)])
  })

  it('tells that it hides a file of the system, and refuses to replace a link', async () => {
    const hidden = mockHost('web1').has(bootLines, [
      { file: '/usr/lib/sysctl.d/50-pid-max.conf', key: 'kernel.pid_max', value: '4194304' },
    ])
    const result = await run(sysctl('50-pid-max').set('vm.swappiness', 10), hidden, { check: true })
    expect(result.tasks[0]!.notes).toEqual(['/etc/sysctl.d/50-pid-max.conf hides /usr/lib/sysctl.d/50-pid-max.conf'])
    const link = '/etc/sysctl.d/99-sysctl.conf'
    const linked = mockHost('web1').has(fileAt(link), { type: 'link', target: '../sysctl.conf' })
    expect(await failure(sysctl('99-sysctl').set('vm.swappiness', 10), linked)).toMatchObject({
      message: `${link} is a link to ../sysctl.conf, which would be read at boot no more.`,
    })
  })
})

describe('kernelParameter()', () => {
  const keys = [
    'net.core.rmem_default',
    'net.ipv4.udp_mem',
    'net.ipv4.route.flush',
    'kernel.osrelease',
    'net.ipv4.ip_local_reserved_ports',
    'net.core.rmem_mx',
    'net.ipv4.conf.vec1.rp_filter',
  ]
  const values: KernelValue[] = [
    '300000',
    // The kernel separates by tabs.
    '8670 11562 17340',
    { type: 'write-only' },
    { type: 'read-only', value: '7.2.7' },
    '',
    { type: 'absent', nearest: 'net.core.rmem_max' },
    { type: 'absent', nearest: 'net.ipv4.conf.vec0.rp_filter' },
  ]

  it('reads what a real kernel says', () => {
    expect(answers(keys.map(kernelParameter), { stdout: fixture('read-sid.out') })).toEqual(values)
  })

  it('says what it did not understand', () => {
    expect(answers([kernelParameter('vm.swappiness')], { status: 1, stderr: '/proc/sys is not there\n' })).toEqual([
      expect.objectContaining({ code: 'E_PROBE_UNPARSABLE' }),
    ])
  })

  it.each([
    ['net.ipv4.conf.vec0/100.rp_filter', 'net.ipv4.conf.vec0/100.rp_filter'],
    ['net/ipv4/conf/vec0.100/rp_filter', 'net.ipv4.conf.vec0/100.rp_filter'],
    ['net/core/rmem_max', 'net.core.rmem_max'],
  ])('knows %s as %s', (key, name) => {
    expect(keyName(key)).toBe(name)
    expect(kernelParameter(key).key).toBe(`sysctl:${name}`)
  })

  it.each([
    'net',
    'net..core',
    'net/../core',
    '../etc/passwd',
    '-net.core.rmem_max',
    'net.core.a b',
    'a.b=c',
    'a.',
    '.a',
    '',
  ])('refuses %j as a name', (key) =>
    expect(keyName(key)).toEqual({
      problem: `${JSON.stringify(key)} is not the name of a kernel parameter, such as net.core.rmem_max`,
    }),
  )

  it('refuses a pattern, which systemd would take and nobody could compare', () => {
    expect(keyName('net.ipv4.conf.*.rp_filter')).toHaveProperty('problem')
    expect(() => kernelParameter('net.ipv4.conf.*.rp_filter')).toThrow(Failure)
  })

  it('writes a value at once, as one word', () => {
    const { text, touched } = kernelParameter('net.ipv4.conf.vec0/100.rp_filter').write!("1; it's", '0')
    expect(
      text,
    ).toBe(`e=$(printf '%s\\n' '1; it'\\''s' | tee -- /proc/sys/net/ipv4/conf/vec0.100/rp_filter 2>&1 >/dev/null) || {
  case $e in *'No such file or directory') e="$e (the kernel has nothing of that name, not in a module either)" ;; esac
  printf '%s %s\\n' 'The kernel refused "1; it'\\''s" for net.ipv4.conf.vec0/100.rp_filter:' "$e" >&2
  exit 1
}`)
    expect(touched).toEqual([])
    expect(kernelParameter('net.ipv4.ip_forward').write!('1', '0').touched).toEqual(['sysctl:net.ipv4.conf.*'])
  })

  describe.each(shells)('in $title', ({ name, there }) => {
    it.skipIf(!there)('reads whole numbers, of which the read of dash and ash takes the first digit', () => {
      const places = ['kernel.pid_max', 'kernel.osrelease', 'kernel.nosuch_key'].map(kernelParameter)
      const [max, release, none] = answers(places, inShell(name, readScript(places)))
      const seen = (value: KernelValue | Failure | undefined) =>
        typeof value === 'object' && 'value' in value ? value.value : value
      expect(seen(max)).toBe(readFileSync('/proc/sys/kernel/pid_max', 'utf8').trim())
      expect(seen(release)).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim())
      expect(none).toMatchObject({ type: 'absent' })
    })

    it.skipIf(!there)('tells why a value was refused', () => {
      const { status, stderr } = inShell(name, kernelParameter('kernel.nosuch_key').write!('1', '0'))
      expect(status).toBe(1)
      expect(stderr).toMatch(/^The kernel refused "1" for kernel\.nosuch_key: tee: .*\n$/)
    })

    it.skipIf(!there)('reads the files of this machine', () => {
      const [lines] = answers([bootLines], inShell(name, readScript([bootLines])))
      expect(Array.isArray(lines)).toBe(true)
    })
  })
})

describe('bootLines', () => {
  const read = (name: string) => answers([bootLines], { stdout: fixture(name) })[0] as readonly BootLine[]

  it('orders by base name over the directories, and lets a link to /dev/null silence a file', () => {
    expect(read('boot-sid.out').map(({ file: from, key, value }) => `${from} ${key} ${value}`)).toEqual([
      '/usr/lib/sysctl.d/10-coredump-debian.conf kernel.core_pattern core',
      '/usr/lib/sysctl.d/50-pid-max.conf kernel.pid_max 4194304',
      // A pattern is left out, and so is a comment; numbers are as the kernel takes them.
      '/run/sysctl.d/60-run.conf net.ipv4.conf.lo.rp_filter null',
      '/run/sysctl.d/60-run.conf net.core.wmem_max 8388608',
      '/run/sysctl.d/60-run.conf kernel.sysrq 1',
      '/etc/sysctl.d/99-law.conf net.core.rmem_default 300000',
    ])
  })

  it('reads the files of Debian 12', () => {
    const lines = read('boot-bookworm.out')
    expect(lines.at(-1)).toEqual({ file: path, key: 'net.ipv4.ip_local_reserved_ports', value: '' })
    expect(lines.filter(({ key }) => key === 'net.core.rmem_default').map(({ value }) => value)).toEqual([
      '300000',
      '16777216',
    ])
  })
})
