/** A worker beside the web server: it runs as declared, under its own user and limits, and what befalls it touches no request. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { perfProfile } from '../../modules/perf/profile.ts'
import { systemdService } from '../../modules/systemd/service.ts'
import { systemdTimer } from '../../modules/systemd/timer.ts'
import { play } from '../../testing/trial-run.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { type Lab, labHosts } from './hosts.ts'

let lab: Lab<'worker1'>
let host: RemoteHost

beforeAll(async () => {
  lab = await labHosts('sid', ['worker1'])
  await on(site)
  host = new RemoteHost('worker1', () => connectLab(lab, lab.hosts.worker1), {
    become: 'sudo',
    becomePassword: undefined,
  })
})
afterAll(async () => {
  await host?.close()
  await lab?.close()
})

/** A web server with a page, and a worker that counts, and dies when it is told to. */
const site = `set -e
systemctl start nginx
useradd --system crm
install -d -o crm /var/lib/crm /srv/crm
cat >/srv/crm/worker.php <<'PHP'
<?php
for ($n = 0; ; $n++, usleep(100000)) {
  file_put_contents('/var/lib/crm/count', "$n\\n");
  if (file_exists('/var/lib/crm/crash')) { unlink('/var/lib/crm/crash'); fwrite(STDERR, "the CRM said 500\\n"); exit(3); }
}
PHP
cat >/srv/crm/words.php <<'PHP'
<?php file_put_contents('/var/lib/crm/words', json_encode([array_slice($argv, 1), getenv('ODD')])); sleep(1000);
PHP`

/** What a command prints on the host, asked by the OpenSSH client: the engine has no part in it. */
async function on(command: string): Promise<string> {
  const { status, stdout, stderr } = await lab.hosts.worker1.ssh(command)
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
  return stdout.trim()
}

async function does(task: Task, options = {}) {
  const { failure, changes, events } = await play(task, host, options)
  const notes = events.flatMap((event) => (event.type === 'task' ? event.notes : []))
  return { failure, notes, changed: changes.map(({ label, after }) => `${label}: ${after}`), events }
}

const pid = () => on('systemctl show -P MainPID crm-sync')
const unitFile = '/etc/systemd/system/crm-sync.service'

const worker = systemdService('crm-sync')
  .runs(['/usr/bin/php', '/srv/crm/worker.php'])
  .as('crm')
  .restarts('on-failure', { after: '500ms' })
  .limits({ memoryMax: '64MiB', tasksMax: 16, cpuQuota: '50%', timeoutStart: '30s' })
  .hardened({ writes: ['/var/lib/crm'] })

describe('the worker', () => {
  it('runs as declared, under its own user and within its limits', async () => {
    const { failure, changed } = await does(worker)
    expect(failure).toBeUndefined()
    expect(changed).toEqual([`${unitFile}: 36 lines 0644 root:root`, 'crm-sync.service: enabled, active'])
    const shown = await on(
      'systemctl show crm-sync -p User,MemoryMax,TasksMax,CPUQuotaPerSecUSec,TimeoutStartUSec,Type,ActiveState,NoNewPrivileges,UnitFileState | sort',
    )
    expect(shown.split('\n')).toEqual([
      'ActiveState=active',
      'CPUQuotaPerSecUSec=500ms',
      'MemoryMax=67108864',
      'NoNewPrivileges=yes',
      'TasksMax=16',
      'TimeoutStartUSec=30s',
      'Type=exec',
      'UnitFileState=enabled',
      'User=crm',
    ])
    const [owner, capabilities] = (
      await on(`stat -c %U /proc/${await pid()}; sed -n 's/^CapBnd:.//p' /proc/${await pid()}/status`)
    ).split('\n')
    expect([owner, Number(capabilities)]).toEqual(['crm', 0])
    // It can write where it may, and nowhere else.
    expect(Number(await on('sleep 1; cat /var/lib/crm/count'))).toBeGreaterThan(0)
    expect(await on(`nsenter -t ${await pid()} -m sh -c 'touch /srv/crm/x 2>&1; :'`)).toMatch(/Read-only file system/)
  })

  it('has nothing to change the second time, and goes on', async () => {
    const before = await pid()
    expect(await does(worker)).toMatchObject({ failure: undefined, changed: [] })
    expect(await pid()).toBe(before)
  })

  it('touches no request when it dies, and is started again', async () => {
    const before = await pid()
    const client = `end=$(($(date +%s) + 8)); while [ $(date +%s) -lt $end ]; do
      curl -s -m 5 -o /dev/null -w '%{http_code}\\n' http://127.0.0.1/; done`
    const crashes = 'for i in 1 2 3; do touch /var/lib/crm/crash; sleep 2; done'
    const [codes] = await Promise.all([on(client), on(crashes)])
    const all = codes.split('\n')
    expect(all.length).toBeGreaterThan(10)
    expect(new Set(all)).toEqual(new Set(['200']))
    expect(Number(await on('systemctl show -P NRestarts crm-sync'))).toBeGreaterThanOrEqual(2)
    expect(await on('sleep 1; systemctl is-active crm-sync')).toBe('active')
    expect(await pid()).not.toBe(before)
  })

  it('is restarted where its unit changes, of which the plan tells', async () => {
    const other = worker.limits({ memoryMax: '48MiB' })
    const before = await pid()
    const planned = await does(other, { check: true })
    expect(planned.notes).toEqual(['crm-sync.service is restarted, since its unit changes.'])
    expect(await pid()).toBe(before)
    expect((await does(other)).failure).toBeUndefined()
    expect(await pid()).not.toBe(before)
    // What the kernel itself limits it to.
    expect(await on(`cat /sys/fs/cgroup$(systemctl show -P ControlGroup crm-sync)/memory.max`)).toBe(
      `${48 * 1024 ** 2}`,
    )
    expect((await does(other)).changed).toEqual([])
  })

  it('keeps the unit that it has where the new one is refused, in systemd’s own words', async () => {
    const before = [await pid(), await on(`cat ${unitFile}`)]
    const missing = await does(worker.runs(['/usr/bin/phq', '/srv/crm/worker.php']), { check: true })
    expect(missing.failure).toMatch(/The program \/usr\/bin\/phq does not exist on this host/)
    const { failure } = await does(worker.runs(['/srv/crm/worker.php']))
    expect(failure).toMatch(/crm-sync\.service: Command \/srv\/crm\/worker\.php is not executable: Permission denied/)
    expect([await pid(), await on(`cat ${unitFile}`)]).toEqual(before)
    const ignored = await does(worker.section('Service', { IPAddressDeny: 'nobody' }))
    expect(ignored.failure).toMatch(/crm-sync\.service:\d+: .*ignoring/)
    expect([await pid(), await on(`cat ${unitFile}`)]).toEqual(before)
    expect(
      await on('stat -c %a /etc/systemd/system/crm-sync.service; ls -A /etc/systemd/system | grep kept || echo none'),
    ).toBe('644\nnone')
  })

  it('runs as before where the new one does not come up, and tells its last words', async () => {
    const before = await on(`cat ${unitFile}`)
    const { failure } = await does(worker.runs(['/bin/sh', '-c', 'echo no token in /etc/crm >&2; exit 3']))
    expect(failure).toMatch(/no token in \/etc\/crm/)
    expect(failure).toMatch(/does not come up with the new unit\. The one before was put back, and runs again\./)
    expect(await on(`cat ${unitFile}`)).toBe(before)
    expect(await on('systemctl is-active crm-sync; systemctl show -P NeedDaemonReload crm-sync')).toBe('active\nno')
  })

  it('fails with the journal’s last lines where it dies at once', async () => {
    const dying = systemdService('crm-dying').runs(['/bin/sh', '-c', 'echo the CRM is not there >&2; exit 1'])
    const { failure, changed } = await does(dying)
    expect(failure).toMatch(/the CRM is not there/)
    expect(failure).toMatch(/crm-dying\.service was started, but is failed a moment later/)
    // There was none before, so there is none.
    expect(changed).toEqual([])
    expect(await on('systemctl is-enabled crm-dying 2>&1 || :')).toMatch(/^not-found$|No such file/)
    expect(await on("find /etc/systemd/system -name '*crm-dying*'")).toBe('')
    expect((await does(dying)).failure).toMatch(/the CRM is not there/)
    expect(await on('systemctl --failed --plain --no-legend | grep crm || echo none')).toBe('none')
  })

  it('gets every word and variable as it is', async () => {
    const words = ['$HOME', '${PATH}', '%n', 'a b', "it's", '"q"', 'back\\slash', ';', '', 'n\nl', '*']
    const odd = systemdService('crm-words')
      .runs(['/usr/bin/php', '/srv/crm/words.php', ...words])
      .as('crm')
      .environment({ ODD: '$x %n "q" it\'s \\ ' })
    expect((await does(odd)).failure).toBeUndefined()
    expect(JSON.parse(await on('sleep 2; cat /var/lib/crm/words'))).toEqual([words, '$x %n "q" it\'s \\ '])
  })
})

describe('the timer', () => {
  const job = systemdService('crm-report')
    .runs(['/bin/sh', '-c', 'echo "$(id -un)" >>/var/lib/crm/ran'])
    .as('crm')
    .oneshot()
  const timer = (times: string) => systemdTimer('crm-report').onCalendar(times).accuracy('1s').starts(job)

  it('starts its oneshot again and again, as its user', async () => {
    const { failure, notes } = await does(timer('*:*:0/2'))
    expect(failure).toBeUndefined()
    expect(notes).toEqual(['*:*:0/2 is *-*-* *:*:00/2.'])
    const ran = (await on('sleep 7; cat /var/lib/crm/ran')).split('\n')
    expect(ran.length).toBeGreaterThanOrEqual(2)
    expect(new Set(ran)).toEqual(new Set(['crm']))
    expect(await does(timer('*:*:0/2'))).toMatchObject({ failure: undefined, changed: [] })
  })

  it('waits for its new times at once', async () => {
    expect((await does(timer('*-*-01 04:00'))).failure).toBeUndefined()
    expect(await on('systemctl show -P TimersCalendar crm-report.timer')).toContain('OnCalendar=*-*-01 04:00:00 ;')
    expect(await on('systemctl is-active crm-report.timer')).toBe('active')
  })

  it('keeps its times where systemd does not take the new ones', async () => {
    const before = await on(
      'systemctl show -P TimersCalendar crm-report.timer; cat /etc/systemd/system/crm-report.timer',
    )
    const { failure, changed } = await does(timer('*-*-01 04:00 Nowhere/Atlantis'))
    expect(failure).toMatch(/Failed to parse calendar specification '\*-\*-01 04:00 Nowhere\/Atlantis'/)
    expect(changed).toEqual([])
    expect((await does(timer('2020-01-01'))).failure).toMatch(/never comes/)
    expect(
      await on('systemctl show -P TimersCalendar crm-report.timer; cat /etc/systemd/system/crm-report.timer'),
    ).toBe(before)
  })
})

describe('a profile', () => {
  it('is not to be had in user-mode Linux, and says why', async () => {
    const { failure, changed, events } = await does(perfProfile({ unit: 'crm-sync', during: '1s' }))
    expect([failure, changed]).toEqual([undefined, []])
    const [seen] = events.filter((event) => event.type === 'observation')
    expect(seen).toMatchObject({
      outcome: 'ok',
      says: 'not available here, because this kernel has no perf events (perf_event_open)',
    })
  })
})
