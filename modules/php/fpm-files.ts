/** The files of php-fpm that Debian's package brings, and of which a task writes single settings. */

import type { Resource } from '../../dsl/resource.ts'
import type { FileState } from '../../probe/file.ts'
import { editedFile } from '../text-file.ts'
import { debianSocket, globalPath, poolPath } from './layout.ts'

/** The file of a pool. On a fresh host there is Debian's `www` alone. */
export function poolFile(version: string, pool: string, path = poolPath(version, pool)): Resource<FileState> {
  const place = editedFile(path)
  return pool === 'www' ? { ...place, fresh: packaged(www(version)) } : place
}

/** What all pools of a master have in common. */
export function globalFile(version: string): Resource<FileState> {
  return { ...editedFile(globalPath(version)), fresh: packaged(global(version)) }
}

/** As Debian installs it, shortened. */
function www(version: string): string {
  return `[www]
user = www-data
group = www-data
listen = ${debianSocket(version)}
listen.owner = www-data
listen.group = www-data
pm = dynamic
pm.max_children = 5
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
`
}

/** As Debian installs it, shortened. */
function global(version: string): string {
  return `[global]
error_log = /var/log/php${version}-fpm.log
;process_control_timeout = 0
include=/etc/php/${version}/fpm/pool.d/*.conf
`
}

function packaged(text: string): FileState {
  return { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }
}
