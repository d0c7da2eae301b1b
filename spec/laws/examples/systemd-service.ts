import { sh, systemdService, systemdTimer } from '../../../index.ts'
import { fileAt, tellContent } from '../../../modules/file.ts'
import { unit, unitFrom } from '../../../modules/unit.ts'
import type { Example } from '../../../testing/example.ts'

const folder = '/etc/systemd/system'
const text = (content: string) =>
  ({ type: 'file', content: tellContent(Buffer.from(content)), mode: '0644', owner: 'root', group: 'root' }) as const
const old = '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n'
const oldTimer = '[Timer]\nOnCalendar=monthly\n[Install]\nWantedBy=timers.target\n'

const names = ['fleetplay-worker.timer', 'fleetplay-worker.service']

/** One unit at a time: where one of several is not there, systemctl leaves the others as they are. */
const gone = sh`for u in ${names}; do
  systemctl disable $u 2>/dev/null
  systemctl stop $u 2>/dev/null
  systemctl reset-failed $u 2>/dev/null
  rm -f /etc/systemd/system/$u
done
systemctl daemon-reload`

const running = sh`${gone}
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/fleetplay-worker.service
systemctl enable --now fleetplay-worker.service`

const job = sh`${gone}
printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >/etc/systemd/system/fleetplay-worker.service
systemctl daemon-reload`

const waiting = sh`${job}
printf '[Timer]\nOnCalendar=monthly\n[Install]\nWantedBy=timers.target\n' >/etc/systemd/system/fleetplay-worker.timer
systemctl enable --now fleetplay-worker.timer`

const worker = systemdService('fleetplay-worker')
  .runs(['/bin/sh', '-c', 'exec sleep "$1"', 'it\'s; $x %n "q" \\', '100000'])
  .as('daemon')
  .restarts('on-failure', { after: '5s' })
  .environment({ A: "it's", B: '$x %n "q" \\' })
const sleeper = systemdService('fleetplay-worker').runs(['/bin/sleep', 'infinity']).as('daemon')
const service = `${folder}/fleetplay-worker.service`
const timer = `${folder}/fleetplay-worker.timer`
const on = { enabled: 'enabled', active: true } as const

export const systemdServiceExamples: readonly Example[] = [
  {
    name: 'systemdService, new',
    task: () => sleeper.limits({ memoryMax: '64MiB' }).hardened(),
    before: () => gone,
    proved: 'lab',
  },
  {
    name: 'systemdService, while an older one runs',
    task: () => sleeper.limits({ tasksMax: 8, cpuQuota: '50%', timeoutStart: '30s' }),
    values: () => [
      [fileAt(service), text(old)],
      [unit('fleetplay-worker.service'), on],
    ],
    before: () => running,
    proved: 'lab',
  },
  {
    name: 'systemdService, with hostile words',
    task: () => worker.stopped(),
    values: () => [
      [fileAt(service), text(old)],
      [unit('fleetplay-worker.service'), on],
    ],
    before: () => running,
    proved: 'lab',
  },
  {
    name: 'systemdService, a oneshot of what ran',
    task: () => systemdService('fleetplay-worker').runs('/bin/true').oneshot(),
    values: () => [
      [fileAt(service), text(old)],
      [unit('fleetplay-worker.service'), on],
    ],
    before: () => running,
    proved: 'lab',
  },
  {
    name: 'systemdService, absent while it runs',
    task: () => systemdService('fleetplay-worker').absent(),
    values: () => [
      [fileAt(service), text(old)],
      [unitFrom('fleetplay-worker.service', service), on],
    ],
    before: () => running,
    proved: 'lab',
  },
  {
    name: 'systemdTimer, new, with its service',
    task: () =>
      systemdTimer('fleetplay-worker')
        .onCalendar('*:0/5')
        .randomizedDelay('30s')
        .persistent()
        .starts(systemdService('fleetplay-worker').runs('/bin/true').oneshot()),
    before: () => gone,
    proved: 'lab',
  },
  {
    name: 'systemdTimer, other times',
    task: () => systemdTimer('fleetplay-worker').onCalendar('Mon..Fri 08:00').accuracy('1s'),
    values: () => [
      [fileAt(timer), text(oldTimer)],
      [unit('fleetplay-worker.timer'), on],
    ],
    before: () => waiting,
    proved: 'lab',
  },
  {
    name: 'systemdTimer, absent',
    task: () => systemdTimer('fleetplay-worker').absent(),
    values: () => [
      [fileAt(timer), text(oldTimer)],
      [unitFrom('fleetplay-worker.timer', timer), on],
    ],
    before: () => waiting,
    proved: 'lab',
  },
]
