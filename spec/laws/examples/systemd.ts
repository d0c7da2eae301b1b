import { sh, systemdDropIn, systemdSocket, systemdUnit } from '../../../index.ts'
import { fileAt, tellContent } from '../../../modules/file.ts'
import { listeningSocket } from '../../../modules/listening-socket.ts'
import { unit, unitFrom } from '../../../modules/unit.ts'
import type { Example } from '../../../testing/example.ts'

const folder = '/etc/systemd/system'
const owned = { mode: '0644', owner: 'root', group: 'root' }
const text = (content: string) => ({ type: 'file', content: tellContent(Buffer.from(content)), ...owned })
const old = '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n'

/** One unit at a time: where one of several is not there, systemctl leaves the others as they are. */
const gone = sh`for u in fleetplay-law.socket fleetplay-law.service; do
  systemctl disable $u 2>/dev/null
  systemctl stop $u 2>/dev/null
  systemctl reset-failed $u 2>/dev/null
  rm -rf /etc/systemd/system/$u /etc/systemd/system/$u.d
done
systemctl daemon-reload`

const there = sh`${gone}
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/fleetplay-law.service`

const listening = sh`${there}
printf '[Socket]\nListenStream=/run/fleetplay-law.sock\n[Install]\nWantedBy=sockets.target\n' >/etc/systemd/system/fleetplay-law.socket
systemctl enable --now fleetplay-law.socket`

const worker = systemdUnit('fleetplay-law.service')
  .section('Service', { ExecStart: '/bin/sleep infinity', Environment: [`"A=it's"`, '"B=$x %n"'] })
  .section('Install', { WantedBy: 'multi-user.target' })

const socket = systemdSocket('fleetplay-law').listenStream('/run/fleetplay-law.sock').mode('0660').backlog(512)
const open = { backlog: 4096, file: { mode: '0666', owner: 'root', group: 'root' } }

export const systemdExamples: readonly Example[] = [
  { name: 'systemdUnit, new', task: () => worker, before: () => gone, proved: 'lab' },
  {
    name: 'systemdUnit, other content',
    task: () => worker,
    values: () => [[fileAt(`${folder}/fleetplay-law.service`), text(old)]],
    before: () => there,
    proved: 'lab',
  },
  {
    name: 'systemdUnit, absent while it runs',
    task: () => systemdUnit('fleetplay-law.service').absent(),
    values: () => [
      [fileAt(`${folder}/fleetplay-law.service`), text(old)],
      [unitFrom('fleetplay-law.service', `${folder}/fleetplay-law.service`), { enabled: 'enabled', active: true }],
    ],
    before: () => sh`${there}
systemctl enable --now fleetplay-law.service`,
    proved: 'lab',
  },
  {
    name: 'systemdDropIn, new',
    task: () => systemdDropIn('fleetplay-law', 'limits').section('Service', { LimitNOFILE: 4096 }),
    before: () => there,
    proved: 'lab',
  },
  {
    name: 'systemdSocket, new',
    task: () => socket,
    values: () => [[unit('fleetplay-law.service'), { enabled: 'disabled', active: false }]],
    before: () => there,
    proved: 'lab',
  },
  {
    name: 'systemdSocket, while its service runs',
    task: () => socket,
    values: () => [[unit('fleetplay-law.service'), { enabled: 'disabled', active: true }]],
    before: () => sh`${there}
systemctl start fleetplay-law.service`,
    proved: 'lab',
  },
  {
    name: 'systemdSocket, drifted',
    task: () => socket,
    values: () => [
      [
        listeningSocket('fleetplay-law.socket', 'fleetplay-law.service'),
        { enabled: 'enabled', listening: { '/run/fleetplay-law.sock': open } },
      ],
    ],
    before: () => listening,
    proved: 'lab',
  },
  {
    name: 'systemdSocket, absent',
    task: () => systemdSocket('fleetplay-law').absent(),
    values: () => [
      [
        listeningSocket('fleetplay-law.socket', 'fleetplay-law.service'),
        { enabled: 'enabled', listening: { '/run/fleetplay-law.sock': open } },
      ],
      [fileAt(`${folder}/fleetplay-law.socket`), text('[Socket]\nListenStream=/run/fleetplay-law.sock\n')],
    ],
    before: () => listening,
    proved: 'lab',
  },
]
