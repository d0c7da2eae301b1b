/** What a queue does to those who wait in it: measured on a real host, before and after. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { qdiscStats } from '../../modules/tc/qdisc-stats.ts'
import { tcQdisc } from '../../modules/tc/qdisc.ts'
import { play } from '../../testing/trial-run.ts'
import { sysctl } from '../../index.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { type Lab, labHosts } from './hosts.ts'

let lab: Lab<'queue1'>
const hosts: RemoteHost[] = []

beforeAll(async () => {
  lab = await labHosts('sid', ['queue1'])
  await on(link)
})
afterEach(async () => void (await Promise.all(hosts.splice(0).map((host) => host.close()))))
afterAll(async () => await lab?.close())

/** A link of our own, whose other end takes all that comes, for ten minutes at most. */
const link = `set -e
ip netns add peer; ip link add wan0 type veth peer name wan1 netns peer
ip addr add 10.9.0.1/24 dev wan0; ip link set wan0 up
ip -n peer addr add 10.9.0.2/24 dev wan1; ip -n peer link set wan1 up
cat >/root/sink.php <<'PHP'
<?php
$all = [$server = stream_socket_server('tcp://10.9.0.2:9000')];
for ($end = time() + 600; time() < $end; ) {
  [$ready, $none] = [$all, null];
  if (!stream_select($ready, $none, $none, 1)) continue;
  foreach ($ready as $one) {
    if ($one === $server) $all[] = stream_socket_accept($server);
    elseif (fread($one, 65536) === '' && feof($one)) $all = array_filter($all, fn ($other) => $other !== $one);
  }
}
PHP
systemd-run -q --unit=sink ip netns exec peer php /root/sink.php`

/** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
async function on(command: string): Promise<string> {
  const { status, stdout, stderr } = await lab.hosts.queue1.ssh(command)
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
  return stdout.trim()
}

async function does(task: Task, options = {}) {
  const host = new RemoteHost('queue1', () => connectLab(lab, lab.hosts.queue1), {
    become: 'sudo',
    becomePassword: undefined,
  })
  hosts.push(host)
  return await play(task, host, options)
}

async function done(task: Task) {
  const { failure, changes } = await does(task)
  expect(failure).toBeUndefined()
  return changes
}

/** Eight connections that send as fast as they can, for so many seconds. */
const bulk = (time: number) =>
  `for i in 1 2 3 4 5 6 7 8; do timeout ${time} bash -c 'cat /dev/zero >/dev/tcp/10.9.0.2/9000' 2>/dev/null & done`

/** Milliseconds that the middle one of 60 probes takes there and back while the bulk goes: stalls of a busy machine are not it. */
async function probe(): Promise<number> {
  const answer = await on(`${bulk(7)}; sleep 2; ping -c 60 -i 0.06 10.9.0.2; wait; :`)
  const times = [...answer.matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time)).toSorted((a, b) => a - b)
  expect(times.length).toBeGreaterThan(40)
  return times[Math.floor(times.length / 2)]!
}

interface Counted {
  readonly kind: string
  readonly handle: string
  readonly drops: number
  readonly new_flow_count?: number
  readonly options: Readonly<Record<string, unknown>>
}

async function qdiscs(device: string): Promise<readonly Counted[]> {
  return JSON.parse(await on(`tc -j -s qdisc show dev ${device}`)) as Counted[]
}

const rate = '8mbit'
const burst = '32KiB'

describe('a link of 8 Mbit/s that is full', () => {
  let before = 0

  it('lets a probe wait behind all that was sent before it, in a plain queue', async () => {
    await done(tcQdisc('wan0').tbf({ rate, burst, latency: '300ms' }).atBoot(false))
    before = await probe()
    expect(before).toBeGreaterThan(40)
  })

  it('lets it wait a fifth of that at most with fq_codel behind the shaper, and a hundredth on an idle machine', async () => {
    const changes = await done(
      tcQdisc('wan0')
        .tbf({ rate, burst, fqCodel: { target: '5ms' } })
        .atBoot(false),
    )
    expect(changes).toMatchObject([
      { after: 'tbf rate 8mbit burst 32KiB with fq_codel limit 10240 target 5ms interval 100ms ecn' },
    ])
    const after = await probe()
    process.stdout.write(`a probe under bulk load at ${rate}: pfifo ${before} ms, fq_codel ${after} ms\n`)
    expect(before / after).toBeGreaterThan(5)
    const [shaper, queue] = await qdiscs('wan0')
    expect([shaper!.kind, queue!.kind]).toEqual(['tbf', 'fq_codel'])
    expect(queue!.drops).toBeGreaterThan(0)
    expect(queue!.new_flow_count).toBeGreaterThan(0)
  })

  it('is told by qdiscStats, as it happens', async () => {
    const load = on(`${bulk(8)}; wait; :`)
    await sleep(2000)
    const look = qdiscStats('wan0', { during: '3s' }).expect({
      overlimits: { atLeast: 1 },
      newFlows: { atLeast: 1 },
      drops: 0,
    })
    const { failure, events } = await does(look)
    await load
    expect(failure).toMatch(/^wan0 \(tbf\): \d+ dropped, not 0\.$/)
    expect(events.find((event) => event.type === 'observation')).toMatchObject({
      says: expect.stringMatching(/^tbf: \d+ packets in 3 s, \d+ dropped, .*\d+ held back for a rate, \d+ new flows/),
    })
  })

  it('lets it wait no longer with cake, which shapes by itself', async () => {
    await done(tcQdisc('wan0').cake({ bandwidth: rate }).atBoot(false))
    expect(before / (await probe())).toBeGreaterThan(5)
  })
})

describe('a link that is not full', () => {
  it('is not the bottleneck: fq_codel does nothing there, and qdiscStats says so', async () => {
    await done(tcQdisc('wan0').fqCodel().atBoot(false))
    const load = on('ping -q -c 150 -i 0.05 10.9.0.2')
    await sleep(1000)
    const { failure, events } = await does(qdiscStats('wan0', { during: '3s' }).expect({ drops: 0 }))
    await load
    expect(failure).toBeUndefined()
    expect(events.find((event) => event.type === 'observation')).toMatchObject({
      says: expect.stringMatching(/^fq_codel: \d+ packets in 3 s, not the bottleneck: nothing was queued$/),
    })
    expect(await qdiscs('wan0')).toMatchObject([{ kind: 'fq_codel', drops: 0, new_flow_count: 0 }])
  })
})

describe('classes that others put below htb', () => {
  const root = tcQdisc('wan0').htb({ default: '0x10' })
  const classes = 'tc class show dev wan0'

  it('stay when the unit of the root starts again, and when the play runs again', async () => {
    await done(root)
    const [{ handle }] = (await qdiscs('wan0')) as [Counted]
    await on(`tc class add dev wan0 parent ${handle} classid ${handle}10 htb rate 8mbit`)
    const made = await on(classes)
    expect(made).toMatch(/^class htb \w+:10 root prio 0 rate 8Mbit/)
    await on('systemctl restart tc-qdisc-wan0')
    expect(await on('systemctl is-failed tc-qdisc-wan0; :')).not.toBe('failed')
    expect(await done(root)).toEqual([])
    expect(await on(classes)).toBe(made)
  })

  it('are not lost to other parameters: the plan refuses them', async () => {
    const made = await on(classes)
    const { failure } = await does(tcQdisc('wan0').htb({ default: '0x20' }))
    expect(failure).toMatch(
      /^wan0 has htb at its root, whose classes and limits would be lost\. It has a class below it\./,
    )
    expect((await does(tcQdisc('wan0').absent())).failure).toMatch(/whose classes and limits would be lost/)
    expect(await on(classes)).toBe(made)
  })
})

describe('a device that is taken away and made again', () => {
  it('has its qdisc again, by the unit that is bound to it', async () => {
    expect((await qdiscs('wan0')).map(({ kind }) => kind)).toEqual(['htb'])
    await on('ip link del wan0; systemctl is-active tc-qdisc-wan0; :')
    await on(`ip link add wan0 type veth peer name wan1 netns peer; ip link set wan0 up
for i in 1 2 3 4 5 6 7 8 9 10; do systemctl -q is-active tc-qdisc-wan0 && exit; sleep 1; done; exit 1`)
    expect(await qdiscs('wan0')).toMatchObject([{ kind: 'htb', options: { default: '0x10' } }])
    expect(await done(tcQdisc('wan0').htb({ default: '0x10' }))).toEqual([])
    await done(tcQdisc('wan0').absent())
  })

  it('is refused in the plan while it is not there', async () => {
    await on('ip link del wan0')
    const { failure, changes } = await does(tcQdisc('wan0').fqCodel())
    expect([failure, changes]).toEqual([expect.stringMatching(/^This host has no network device wan0\./), []])
  })
})

describe('net.core.default_qdisc', () => {
  const kinds = async () => (await qdiscs('vec0')).map(({ kind }) => kind)
  const anew = 'tc qdisc add dev vec0 root pfifo; tc qdisc del dev vec0 root'

  afterAll(
    async () => await on(`rm -f /etc/sysctl.d/80-queues.conf; sysctl -qw net.core.default_qdisc=pfifo_fast; ${anew}`),
  )

  it('reaches only what is made later, and brings its module by itself', async () => {
    await on('modprobe -r sch_fq_codel; [ ! -d /sys/module/sch_fq_codel ]')
    await done(sysctl('80-queues').set('net.core.default_qdisc', 'fq_codel'))
    expect(await on('sysctl -n net.core.default_qdisc; ls -d /sys/module/sch_fq_codel')).toMatch(/^fq_codel\n/)
    expect(await kinds()).toEqual(['pfifo_fast'])
    await on(anew)
    expect(await kinds()).toEqual(['fq_codel'])
  })

  it('of a kind that the kernel lacks (ENOENT) is refused in its own words, and not left in a file', async () => {
    const { failure } = await does(sysctl('81-queues').set('net.core.default_qdisc', 'nosuch'))
    expect(failure).toBe(
      'The kernel refused "nosuch" for net.core.default_qdisc: tee: /proc/sys/net/core/default_qdisc: No such file or directory (the kernel has nothing of that name, not in a module either)',
    )
    expect(await on('sysctl -n net.core.default_qdisc; ls /etc/sysctl.d | grep -c 81-queues || true')).toBe(
      'fq_codel\n0',
    )
  })
})

describe('the interface of a host', () => {
  const smart = tcQdisc('vec0').tbf({ rate: '200mbit', burst: '256KiB', fqCodel: { flows: 512, limit: 5000 } })
  const has = async () => (await qdiscs('vec0')).map(({ kind, handle, options }) => ({ kind, handle, options }))

  it('has its shaper and queue again after a power cut, and nothing is left to change', async () => {
    await done(smart)
    const before = await has()
    expect(before).toMatchObject([
      { kind: 'tbf', options: { rate: 25_000_000 } },
      { kind: 'fq_codel', options: { flows: 512, limit: 5000 } },
    ])
    await on('sync')
    await lab.hosts.queue1.powerCut()
    await lab.hosts.queue1.up()
    const after = await has()
    expect(after.map(({ options }) => options)).toEqual(before.map(({ options }) => options))
    // The unit's own handle: nobody else has put it there.
    expect(after[0]!.handle).toBe('1:')
    expect(await on('systemctl is-active tc-qdisc-vec0')).toBe('active')
    expect(await done(smart)).toEqual([])
  })

  it('goes back to what the kernel chooses, with no unit left', async () => {
    await done(tcQdisc('vec0').absent())
    expect(await has()).toMatchObject([{ kind: 'pfifo_fast', handle: '0:' }])
    expect(await on('find /etc/systemd/system -name "*tc-qdisc-vec0*" -o -name "*vec0.device.wants"')).toBe('')
  })
})
