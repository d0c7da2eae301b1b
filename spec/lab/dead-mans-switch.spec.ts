import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { want } from '../../dsl/resource.ts'
import { Task, type TaskList } from '../../dsl/task.ts'
import type { Event } from '../../engine/events.ts'
import { fleet } from '../../engine/fleet.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { deadMansSwitch, file, reload, restart, shape, sh, sshdTest, sudoersTest } from '../../index.ts'
import { Probe } from '../../probe/probe.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { type Lab, labHosts } from './hosts.ts'

let lab: Lab<'gate1'>
beforeAll(async () => {
  lab = await labHosts('sid', ['gate1'])
})
afterAll(() => lab?.close())

/** A command on the host, by a new login of the OpenSSH client: the engine has no part in it. */
async function on(command: string): Promise<string> {
  const { status, stdout, stderr } = await lab.hosts.gate1.ssh(command)
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
  return stdout.trim()
}

/** Whether sshd of the host greets who comes anew, within a second. */
async function greets(): Promise<boolean> {
  const socket = connect(22, lab.hosts.gate1.address)
  try {
    const [banner] = (await once(socket, 'data', { signal: AbortSignal.timeout(1000) })) as [Buffer]
    return banner.toString().startsWith('SSH-2.0')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Waits until it does, or does not. */
async function until(wanted: boolean, seconds: number): Promise<void> {
  const end = Date.now() + seconds * 1000
  while ((await greets()) !== wanted) {
    if (Date.now() > end) throw new Error(`gate1 ${wanted ? 'lets nobody in' : 'lets us in'} after ${seconds} s`)
    await sleep(100)
  }
}

async function run(tasks: TaskList) {
  const events: Event[] = []
  await fleet({
    plays: shape({ groups: {} }).play('gate').hosts('all').become().tasks(tasks),
    hosts: [{ name: 'gate1', address: 'gate1', groups: [], carrier: 'ssh', ssh: {}, become: 'sudo', vars: {} }],
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 1,
    check: false,
    connect: ({ name }) =>
      new RemoteHost(name, () => connectLab(lab, lab.hosts.gate1), { become: 'sudo', becomePassword: undefined }),
    emit: (event) => events.push(event),
    stopping: () => false,
  })
  const told = events.filter((event) => event.type === 'task')
  return {
    outcomes: told.map(({ outcome }) => outcome),
    failures: told.flatMap(({ failure }) => (failure ? [failure] : [])),
    reactions: events.flatMap((event) => (event.type === 'reaction' ? [`${event.handler} ${event.outcome}`] : [])),
  }
}

const drop = '/etc/ssh/sshd_config.d/10-fleet.conf'
const conf = (content: string) => file(drop).content(content).guardedBy(sshdTest()).notify(restart('ssh'))

/** Whether packets to where the play runs are thrown away: a network that was set up wrongly. */
class Cut extends Task {
  readonly module = 'cut'
  readonly id = 'route'
  readonly address: string
  constructor(address: string) {
    super()
    this.address = address
  }
  get wishes() {
    const route = `${this.address}/32`
    const read = Probe.script(sh`ip route show type blackhole`, ({ stdout }) =>
      stdout.toString().includes(this.address),
    )
    const write = (to: boolean) =>
      (to ? sh`ip route add blackhole ${route}` : sh`ip route del blackhole ${route}`).touches()
    return [want({ key: 'route:cut', read, write }, true)]
  }
}

/** What is left of switches on the host, processes and files. */
const left = () =>
  on(
    "ls -A /var/lib/fleetplay/switches /var/lib/fleetplay/pending 2>/dev/null; pgrep -fa '[f]leetplay/switches/' || true",
  )

describe("a dead man's switch on a host of Debian sid", () => {
  it('keeps a change that lets us in, and leaves nothing behind', async () => {
    const before = await on('systemctl show -p InvocationID --value ssh')
    const { outcomes, reactions } = await run([deadMansSwitch('20s', conf('AllowUsers root deploy\n'))])
    expect(outcomes).toEqual(['changed'])
    expect(reactions).toEqual(['restart ssh done'])
    expect(await on('systemctl show -p InvocationID --value ssh')).not.toBe(before)
    expect(await on('/usr/sbin/sshd -T | grep -i allowusers')).toContain('deploy')
    await sleep(2000)
    expect(await left()).toBe('/var/lib/fleetplay/pending:')
    expect((await run([deadMansSwitch('20s', conf('AllowUsers root deploy\n'))])).outcomes).toEqual(['ok'])
  })

  it('puts back a change of sshd that lets nobody in, by the session that is still there', async () => {
    const { outcomes, failures } = await run([
      deadMansSwitch('1min', conf('AllowUsers nobody\n')),
      file('/root/later').content('x'),
    ])
    expect(outcomes).toEqual(['failed', 'skipped'])
    expect(failures[0]).toMatchObject({ code: 'E_LOCKED_OUT', hint: 'What it had changed was put back.' })
    expect(failures[0]?.message).toMatch(/^Nobody could log in after the change: /)
    expect(await on(`cat ${drop}`)).toBe('AllowUsers root deploy')
    expect(await on('/usr/sbin/sshd -T | grep -i -c nobody || true')).toBe('0')
    await sleep(2000)
    expect(await left()).toBe('/var/lib/fleetplay/pending:')
  })

  it('is fired by the host itself where the network is cut, and the next run says so', async () => {
    const address = (await on('echo $SSH_CONNECTION')).split(' ')[0]!
    const running = run([deadMansSwitch('12s', file('/root/cut').content('x'), new Cut(address))])
    await until(false, 30)
    const { outcomes, failures } = await running
    expect(outcomes).toEqual(['failed'])
    expect(failures[0]).toMatchObject({ code: 'E_LOCKED_OUT' })
    await until(true, 20)
    expect(await on('ip route show type blackhole; ls /root/cut 2>&1 || true')).toContain('No such file')
    const next = await run([file('/root/next').content('x')])
    expect(next.outcomes).toEqual(['changed'])
    expect(next.reactions).toEqual(["dead man's switch: nobody had confirmed the change, so the host put it back done"])
    expect(await left()).toBe('/var/lib/fleetplay/pending:')
  })

  it('is tested by sshd and sudo themselves', async () => {
    const bad = await run([deadMansSwitch('1min', conf('Match Address 10.0.0.0/99\n'))])
    expect(bad.failures[0]?.message).toMatch(/^sshd -t failed after .*put back: Invalid Match address argument/)
    await on('mkdir -p /etc/ssh/sshd_config.d && echo PermitRootLogin yes >/etc/ssh/sshd_config.d/00-first.conf')
    const late = await run([
      file('/etc/ssh/sshd_config.d/20-late.conf')
        .content('PermitRootLogin no\n')
        .guardedBy(sshdTest('PermitRootLogin no'))
        .notify(reload('ssh')),
    ])
    expect(late.failures[0]?.message).toContain('PermitRootLogin no is not in effect')
    const rules = (name: string, content: string) => {
      const path = `/etc/sudoers.d/${name}`
      return file(path).content(content).mode('0440').guardedBy(sudoersTest(path))
    }
    const [ok, unread, wrong] = [
      await run([rules('50-ops', 'ops ALL=(root) NOPASSWD: /usr/bin/id\n')]),
      await run([rules('50.ops', 'ops ALL=(root) NOPASSWD: /usr/bin/id\n')]),
      await run([rules('60-ops', 'ops ALL=(root) NOPASSWD: id\n')]),
    ]
    expect(ok.outcomes).toEqual(['changed'])
    expect(unread.failures[0]?.message).toContain('sudo does not read /etc/sudoers.d/50.ops')
    expect(wrong.failures[0]?.message).toContain('expected a fully-qualified path name')
    expect(await on('visudo -c >/dev/null; ls /etc/sudoers.d')).toBe('50-ops\nfleetplay-lab')
  })
})
