/** Hosts in memory: nothing is connected to. What runs leave in them is kept under .play/sandbox; remove that to begin anew. */

import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'

export default inventory(fleet, {
  carrier: { simulated: {} },
  vars: { domain: 'coaching.example' },
  groups: { web: { vars: { php: '8.4' } }, db: { vars: { schema: 'coaching' } } },
  hosts: {
    edge1: { groups: ['edge'] },
    web1: { groups: ['web'] },
    web2: { groups: ['web'] },
    web3: { groups: ['web'] },
    db1: { groups: ['db'] },
    cache1: { groups: ['cache'] },
  },
})
