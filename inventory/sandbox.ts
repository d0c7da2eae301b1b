/** Hosts in memory: nothing is connected to. What runs leave in them is kept under .play/sandbox; remove that to begin anew. */

import { inventory } from 'fleetplay'
import { fleet } from './shape.ts'

/** A file as Debian's packages bring it. */
const packaged = (text: string) => ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' })

/** What is on every host, beside what a fresh Debian has. */
const base = { 'file:/etc/hosts': packaged('127.0.0.1 localhost\n') }

const web = {
  ...base,
  'version:nginx': '1.30.6',
  'version:haproxy': '3.2.26',
  'file:/srv/wordpress/wp-config.php': packaged("<?php\nrequire_once __DIR__ . '/wp-settings.php';\n"),
}

export default inventory(fleet, {
  carrier: { simulated: { has: base } },
  vars: { domain: 'coaching.example' },
  groups: {
    web: { vars: { php: '8.4', tls: '/etc/ssl/coaching' } },
    db: { vars: { schema: 'coaching' } },
  },
  hosts: {
    edge1: { groups: ['edge'] },
    web1: { groups: ['web'], carrier: { simulated: { has: web } } },
    web2: { groups: ['web'], carrier: { simulated: { has: web } } },
    web3: { groups: ['web'], carrier: { simulated: { has: web } } },
    db1: { groups: ['db'] },
    cache1: { groups: ['cache'] },
  },
})
