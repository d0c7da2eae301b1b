/** The fleet with one real host, the lab's; the plays need no more than the names and addresses of the others. */

import { join } from 'node:path'
import { inventory } from 'fleetplay'
import { fleet } from '../../inventory/shape.ts'

const { LAB: lab = '/var/tmp/fleetplay-lab-project', FAULTS_HOST = '' } = process.env
const [name = '', address = '', ...groups] = FAULTS_HOST.split(' ')

export default inventory(fleet, {
  ssh: { user: 'root', privateKey: join(lab, 'key'), knownHosts: join(lab, 'known_hosts') },
  vars: { domain: 'coaching.example' },
  groups: {
    web: { vars: { php: '8.4', tls: '/etc/ssl/fleetplay-lab', selfSigned: true } },
    db: { vars: { schema: 'coaching' } },
  },
  hosts: {
    web7: { address: '192.0.2.7', groups: ['web'] },
    cache7: { address: '192.0.2.8', groups: ['cache'] },
    [name]: { address, groups: groups as ('edge' | 'web' | 'db' | 'cache')[] },
  },
})
