/** The coaching platform: edge, web, database and cache hosts, as its engineers want them. */

import {
  block,
  cron,
  directory,
  file,
  mysqlHistogram,
  nginxEarlyHints,
  service,
  sysctl,
  systemdDropIn,
  user,
} from 'fleetplay'
import { fleet } from '../inventory/shape.ts'
import { fairQueue, reopenResolver, udpBuffers } from './coaching/kernel.ts'
import { phpSocket, socketActivatedPhp } from './coaching/php-fpm.ts'

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
    udpBuffers().notify(reopenResolver),
  ])

const edge = fleet
  .play('edge')
  .hosts('edge')
  .become()
  .tasks(({ facts }) => [fairQueue(facts.need.defaultInterface)])

const database = fleet
  .play('database')
  .hosts('db')
  .become()
  .tasks(({ vars }) => [
    service('mysql').enabled().started(),
    mysqlHistogram('wp_eistruttore_schedule').on('session_date').buckets(100).in(vars.schema),
  ])

const cache = fleet
  .play('cache')
  .hosts('cache')
  .become()
  .tasks([
    sysctl('90-redis').set('vm.overcommit_memory', 1, 'a fork for a snapshot must not fail'),
    systemdDropIn('redis-server.service', 'limits').section('Service', { LimitNOFILE: 65_536 }),
    service('redis-server').enabled().started(),
  ])

const web = fleet
  .play('web')
  .hosts('web')
  .become()
  .serial('50%')
  .tasks(({ vars, facts }) => [
    fairQueue(facts.need.defaultInterface),
    socketActivatedPhp(vars.php),
    directory('/var/www/coaching'),
    file('/var/www/coaching/index.php').source('./coaching/files/index.php'),
    cron('wp-cron').schedule('*/5 * * * *').as('www-data').runs('php /var/www/coaching/wp-cron.php'),
    nginxEarlyHints('coaching')
      .serverName(vars.domain)
      .tls({ certificate: `${vars.tls}/cert.pem`, key: `${vars.tls}/key.pem` })
      .root('/var/www/coaching')
      .fastcgi(phpSocket(vars.php))
      .preload('/assets/css/critical-coach.min.css', { as: 'style' })
      .preload('/assets/fonts/speaker-sans-bold.woff2', { as: 'font', type: 'font/woff2', crossorigin: true })
      .hop(),
  ])

export default [everywhere, edge, database, cache, web]
