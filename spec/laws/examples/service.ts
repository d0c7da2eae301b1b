import { service, sh } from '../../../index.ts'
import { unit } from '../../../modules/unit.ts'
import type { Example } from '../../../testing/example.ts'

const name = 'fleetplay-law.service'

/** A unit of our own on a lab host, in a state to begin with. */
const made = sh`printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/fleetplay-law.service
systemctl daemon-reload
systemctl unmask fleetplay-law.service
systemctl disable --now fleetplay-law.service`

export const serviceExamples: readonly Example[] = [
  {
    name: 'service, new',
    task: () => service(name).enabled().started(),
    values: () => [[unit(name), { enabled: 'disabled', active: false }]],
    before: () => made,
    proved: 'lab',
  },
  {
    name: 'service, drifted',
    task: () => service(name).enabled().started(),
    values: () => [[unit(name), { enabled: 'enabled', active: false }]],
    before: () => sh`${made}
systemctl enable fleetplay-law.service`,
    proved: 'lab',
  },
  {
    name: 'service, disabled and stopped',
    task: () => service(name).disabled().stopped(),
    values: () => [[unit(name), { enabled: 'enabled', active: true }]],
    before: () => sh`${made}
systemctl enable --now fleetplay-law.service`,
    proved: 'lab',
  },
  {
    name: 'service, masked',
    task: () => service('fleetplay-law-never').masked(),
    values: () => [[unit('fleetplay-law-never.service'), null]],
    before: () => sh`systemctl unmask fleetplay-law-never.service`,
    proved: 'lab',
  },
]
