/** The hosts that the lab has now. docs/lab.md tells how they are booted, and how they get what the platform rests on. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'

const lab = process.env.LAB ?? '/var/tmp/fleetplay-lab-project'
const hosts = join(lab, 'hosts')

/** web1 is a host of the group web; hosts of other names are no part of the fleet. A host of Debian 12 is told by its image. */
const groups = ['edge', 'web', 'db', 'cache'] as const
const names = existsSync(hosts) ? readdirSync(hosts).filter((name) => /^(edge|web|db|cache)\d+$/.test(name)) : []
const read = (name: string, file: string) => readFileSync(join(hosts, name, file), 'utf8').trim()

export default inventory(fleet, {
  ssh: { user: 'root', privateKey: join(lab, 'key'), knownHosts: join(lab, 'known_hosts') },
  vars: { domain: 'coaching.example' },
  groups: {
    web: { vars: { php: '8.4', tls: '/etc/ssl/fleetplay-lab', selfSigned: true } },
    db: { vars: { schema: 'coaching' } },
  },
  hosts: Object.fromEntries(
    names.map((name) => [
      name,
      {
        address: read(name, 'address'),
        groups: groups.filter((group) => name.startsWith(group)),
        ...(name.startsWith('web') && read(name, 'image').startsWith('bookworm') && { vars: { php: '8.2' } }),
      },
    ]),
  ),
})
