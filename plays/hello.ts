/** A first play: a message of the day on the web hosts. */

import { file, handler, sh } from 'fleetplay'
import { fleet } from '../inventory/shape.ts'

const told = handler('tell the users', sh`wall 'The message of the day is new.'`)

export default fleet
  .play('hello')
  .hosts('web')
  .become()
  .tasks(({ vars, host }) => [
    file('/etc/motd').content(`Welcome to ${host.name} of ${vars.domain}.\n`).notify(told).tags('motd'),
    file('/etc/php-version').content(`${vars.php}\n`).mode('0640'),
    file('/etc/nologin').absent(),
  ])
