/** The theme of the platform, and what it must not do while a visitor waits. */

import { directory, file, systemdService, systemdTimer, type TaskList, user, wpTheme } from 'fleetplay'

export const theme = (site: string) => wpTheme('eistruttore').from('./files/eistruttore.zip').in(site)

/**
 * Bookings go to the CRM from a spool, by a worker with its own user and limits: a CRM that is slow or away keeps no visitor
 * waiting, and holds no worker of php-fpm.
 */
export const crmSync = (): TaskList => [
  user('crm').system().home('/var/lib/crm').shell('/usr/sbin/nologin'),
  directory('/var/spool/crm').owner('crm', 'www-data').mode('02770'),
  file('/usr/local/lib/crm-sync.php').source('./files/crm-sync.php'),
  systemdTimer('crm-sync')
    .onCalendar('*:0/1')
    .starts(
      systemdService('crm-sync')
        .runs(['/usr/bin/php', '/usr/local/lib/crm-sync.php', '/var/spool/crm'])
        .as('crm')
        .oneshot()
        .limits({ timeoutStart: '50s', memoryMax: '128MiB', tasksMax: 16 })
        .hardened({ writes: ['/var/spool/crm'] }),
    ),
]
