/** A storm of DNS queries at a resolver that is held up for a moment: what it costs before, and after the play. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TaskList } from '../../dsl/task.ts'
import { cpuSteal, resolved, restart, sysctl, udpDrops } from '../../index.ts'
import { type Image, type Lab, labHosts } from './hosts.ts'
import { runOn } from './run-on.ts'

const queries = 2000

/** Stops the resolver, sends all queries, lets it go on, and counts the answers, for six seconds at most. */
const storm = `<?php
$pid = (int) shell_exec('systemctl show -P MainPID systemd-resolved');
$client = stream_socket_client('udp://127.0.0.53:53');
stream_set_blocking($client, false);
posix_kill($pid, SIGSTOP);
for ($i = 0; $i < ${queries}; $i++) {
  fwrite($client, pack('n6', $i, 0x0100, 1, 0, 0, 0) . "\\5storm\\7example\\0" . pack('n2', 1, 1));
}
posix_kill($pid, SIGCONT);
for ($answers = 0, $end = microtime(true) + 6; $answers < ${queries} && microtime(true) < $end; ) {
  [$ready, $none] = [[$client], null];
  if (!stream_select($ready, $none, $none, 1)) break;
  while (strlen((string) fread($client, 4096)) > 0) $answers++;
}
echo $answers;
`

const tuning = sysctl('99-udp-dns-tuning')
  .set('net.core.rmem_default', '16MiB')
  .set('net.core.rmem_max', '16MiB')
  .set('net.ipv4.udp_mem', [262_144, 524_288, 1_048_576])
const again = restart('systemd-resolved')

describe.each<Image>(['sid', 'bookworm'])('the storm on %s', (image) => {
  const name = `storm-${image}`
  let lab: Lab<string>

  beforeAll(async () => {
    lab = await labHosts(image, [name])
    await on('echo 10.1.2.3 storm.example >>/etc/hosts; cat >/root/storm.php', storm)
    await on('systemctl restart systemd-resolved')
  })
  afterAll(async () => await lab?.close())

  /** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
  async function on(command: string, input = ''): Promise<string> {
    const { status, stdout, stderr } = await lab.hosts[name]!.ssh(command, { input })
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  const answered = async () => Number(await on('php /root/storm.php'))
  const full = async () => Number(await on(`awk '/^Udp: [0-9]/ { print $6 }' /proc/net/snmp`))
  const buffer = async () => await on(`ss -Hlunm src 127.0.0.53 | grep -o 'rb[0-9]*'`)
  const restarts = async () => Number(await on('journalctl -q -o cat -u systemd-resolved | grep -c "^Started"'))

  /** Runs tasks; `meanwhile` is done while they observe. */
  async function run(tasks: TaskList, { check = false, meanwhile = async () => {} } = {}) {
    let during: Promise<void> | undefined
    const ran = await runOn(lab, lab.hosts[name]!, tasks, {
      check,
      onEvent: (event) => {
        // The first reading is made when this is said.
        if (event.type === 'progress' && event.phase === 'observe') during ??= sleep(1500).then(meanwhile)
      },
    })
    await during
    return ran
  }

  /** The storm while it is observed: the answers, what the kernel counted as it was read from outside, and what was seen. */
  async function observed() {
    const before = await full()
    let answers = Number.NaN
    const meanwhile = async () => void (answers = await answered())
    const { sights: seen } = await run([udpDrops({ during: '5s' }).expect(0)], { meanwhile })
    return { answers, dropped: (await full()) - before, seen: seen[0]! }
  }

  it('loses what a small buffer cannot hold, and udpDrops() sees what /proc/net/snmp counts', async () => {
    const { answers, dropped, seen } = await observed()
    expect(await buffer()).toBe('rb212992')
    expect(answers).toBeLessThan(queries / 4)
    expect(dropped).toBe(queries - answers)
    expect(seen).toMatchObject({ outcome: 'failed', failure: { code: 'E_UNEXPECTED' } })
    expect(seen.says).toMatch(
      new RegExp(`^${dropped} datagrams were dropped in 5 s \\(RcvbufErrors ${dropped}, MemErrors 0\\)`),
    )
    expect(seen.table).toEqual([`${dropped}  127.0.0.53:53  systemd-resolved.service`])
  })

  it('loses as many with larger buffers, as long as the daemon was not restarted', async () => {
    const { outcomes, notes } = await run([tuning])
    expect(outcomes).toEqual(['changed'])
    expect(notes).toContain(
      'net.core.rmem_default: sockets that are open keep their buffers until their daemons are restarted',
    )
    expect(await on('sysctl -n net.core.rmem_default')).toBe('16777216')
    expect(await buffer()).toBe('rb212992')
    expect(await answered()).toBeLessThan(queries / 4)
    await on('rm /etc/sysctl.d/99-udp-dns-tuning.conf; sysctl -qw net.core.rmem_default=212992')
  })

  it('loses none after the play, which restarts the daemon once for two tasks', async () => {
    const before = await restarts()
    const tasks = [tuning.notify(again), resolved('fleet').set({ Cache: 'yes' }).notify(again)]
    expect(await run(tasks)).toMatchObject({
      outcomes: ['changed', 'changed'],
      failures: [],
      reactions: [{ handler: 'restart systemd-resolved', outcome: 'done' }],
    })
    expect(await restarts()).toBe(before + 1)
    expect(await buffer()).toBe('rb16777216')
    const { answers, dropped, seen } = await observed()
    expect({ answers, dropped }).toEqual({ answers: queries, dropped: 0 })
    expect(seen).toMatchObject({ outcome: 'ok', says: expect.stringMatching(/^0 datagrams were dropped in 5 s/) })
    expect(await run(tasks)).toMatchObject({ outcomes: ['ok', 'ok'], reactions: [] })
  })

  it('drops all the same where udp_mem is used up, which is told apart', async () => {
    await on('sysctl -qw net.ipv4.udp_mem="20 40 60"')
    const { answers, dropped, seen } = await observed()
    expect(answers).toBeLessThan(queries / 2)
    expect(dropped).toBe(0)
    const memory = Number(await on(`awk '/^Udp: [0-9]/ { print $10 }' /proc/net/snmp`))
    expect(seen).toMatchObject({
      outcome: 'failed',
      says: expect.stringContaining(`(RcvbufErrors 0, MemErrors ${memory})`),
    })
    await on('sysctl -qw net.ipv4.udp_mem="262144 524288 1048576"')
  })

  it('has a daemon that takes all that resolved() writes, without a word', async () => {
    const all = resolved('fleet')
      .set({ Cache: 'no-negative', CacheFromLocalhost: 'no', DNS: ['127.0.0.9#ns.example', '[::1]:5300%lo'] })
      .set({ FallbackDNS: [], Domains: ['~.', 'corp.example'], DNSSEC: 'allow-downgrade', DNSOverTLS: 'opportunistic' })
      .set({ DNSStubListener: 'udp', DNSStubListenerExtra: ['127.0.0.2', 'tcp:[::1]:5353'], LLMNR: 'resolve' })
      .set({ MulticastDNS: 'no', ReadEtcHosts: 'yes', ResolveUnicastSingleLabel: 'no' })
    const since = await on('date "+%F %T.%6N"')
    const stale = image === 'sid' ? all.set({ StaleRetentionSec: '1h' }) : all
    expect(await run([stale.notify(again)])).toMatchObject({ outcomes: ['changed'], failures: [] })
    const said = await on(`journalctl --sync; journalctl -q -o cat -u systemd-resolved --since '${since}'`)
    expect(said).toMatch(/Started/)
    expect(said).not.toMatch(/ignoring|Unknown|Failed|already listening/i)
    const words = (await on('resolvectl dns | head -1; resolvectl domain | head -1')).split(/\s+/)
    expect(words).toEqual(expect.arrayContaining(['127.0.0.9#ns.example', '[::1]:5300', '~.', 'corp.example']))
    expect(await on('ss -Hlun; ss -Hltn')).toMatch(/127\.0\.0\.2:53[^]*\[::1\]:5353/)
  })

  it('refuses in the plan what the daemon of this host would only log', async () => {
    const refusal = async (settings: Parameters<ReturnType<typeof resolved>['set']>[0]) =>
      (await run([resolved('fleet').set(settings)], { check: true })).failures.map(({ message }) => message)
    expect(await refusal({ DNSStubListener: 'tcp' })).toEqual([
      '/etc/resolv.conf sends programs to 127.0.0.53, and they ask by UDP, which tcp leaves closed.',
    ])
    expect(await refusal({ DNS: ['127.0.0.9%eth9'] })).toEqual(['DNS: this host has no interface eth9.'])
    expect(await refusal({ StaleRetentionSec: '1h' })).toEqual(
      image === 'sid' ? [] : ['StaleRetentionSec is for systemd 254 and later, and this host has 252.'],
    )
  })

  it('has had nothing stolen that its kernel would know of', async () => {
    const { sights: seen } = await run([cpuSteal({ during: '2s' }).expect({ below: 5 })])
    expect(await on('awk "/^cpu / { print \\$9 }" /proc/stat')).toBe('0')
    expect(seen).toMatchObject([
      { outcome: 'ok', says: '0 % of the processor time was stolen in 2 s, none since it was started' },
    ])
  })
})
