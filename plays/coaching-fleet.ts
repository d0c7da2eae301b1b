/** The coaching platform: edge, web, database and cache hosts, as its engineers want them. One file for each technique. */

import { block, file, together, user } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
import { bookingStatistics, retiredIndexes } from './coaching/database.ts'
import { quietCron, udpBuffers } from './coaching/dns-storms.ts'
import { earlyHints } from './coaching/early-hints.ts'
import { crmSync, theme } from './coaching/eistruttore.ts'
import { fairQueue } from './coaching/fair-queue.ts'
import { ingress } from './coaching/ingress.ts'
import { compiledPhp, phpBehindSocket } from './coaching/php-fpm.ts'
import { sessionsInRedis, sessionStore } from './coaching/sessions.ts'

/** Where WordPress is. */
const site = '/srv/wordpress'

const everywhere = fleet
  .play('everywhere')
  .hosts('all')
  .become()
  .tasks(({ vars, host, hosts }) => [
    file('/etc/motd').content(`${host.name} of ${vars.domain}\n`),
    block('/etc/hosts', 'fleet').content(
      hosts('all')
        .map(({ name, address }) => `${address} ${name}`)
        .join('\n'),
    ),
    user('deploy').shell('/bin/bash'),
    udpBuffers(),
  ])

const edge = fleet
  .play('edge')
  .hosts('edge')
  .become()
  .tasks(({ facts, hosts }) => [ingress(hosts('web')), fairQueue(facts.need.defaultInterface)])

const database = fleet
  .play('database')
  .hosts('db')
  .become()
  .tasks(({ vars, host, hosts }) => [
    bookingStatistics(vars.schema),
    retiredIndexes(
      vars.schema,
      hosts('db').flatMap(({ name, address }) => (name === host.name ? [] : [address])),
    ),
  ])

const cache = fleet
  .play('cache')
  .hosts('cache')
  .become()
  .tasks(({ host }) => [sessionStore(host.address)])

const web = fleet
  .play('web')
  .hosts('web')
  .become()
  .serial('50%')
  .tasks(({ vars, facts, hosts, host }) => [
    fairQueue(facts.need.defaultInterface),
    phpBehindSocket(vars.php),
    compiledPhp(vars.php),
    hosts('cache').map(({ name }) => sessionsInRedis(vars.php, name)),
    quietCron(site),
    theme(site),
    crmSync(),
    earlyHints({ ...vars, address: host.address, site }),
  ])

export default [everywhere, together(edge, database, cache), web]
