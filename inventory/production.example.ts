/** Real hosts: copy this to inventory/production.ts, change it, and choose it with `-i production`. */

import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'

export default inventory(fleet, {
  // What is not said here comes from your ssh_config: users, keys, ports, jump hosts.
  ssh: { user: 'deploy' },
  vars: { domain: 'coaching.example' },
  groups: {
    web: { vars: { php: '8.4', tls: '/etc/ssl/coaching' } },
    db: { vars: { schema: 'coaching' } },
  },
  hosts: {
    edge1: { groups: ['edge'], address: '192.0.2.10' },
    web1: { groups: ['web'], address: '192.0.2.11' },
    web2: { groups: ['web'], address: '192.0.2.12', vars: { php: '8.3' } },
    db1: { groups: ['db'], address: '192.0.2.21', ssh: { jump: 'bastion.example' } },
    // Certificates and hardware keys: through the OpenSSH client.
    cache1: { groups: ['cache'], carrier: { exec: ['ssh', 'cache1'] } },
  },
})
