/** As whom nginx serves. */

import type { Resource } from '../../dsl/resource.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

/** The user that nginx's workers run as. */
export const nginxUser: Resource<string> = {
  key: 'nginx-user:',
  label: "user of nginx's workers",
  read: Probe.script(
    sh`u=
if [ -r /etc/nginx/nginx.conf ]; then
  while read -r word name rest; do [ "$word" != user ] || u=$name; done </etc/nginx/nginx.conf
fi
echo "$u"`,
    // Debian's nginx is built for www-data.
    ({ stdout }) => stdout.toString().trim().replace(/;.*/, '') || 'www-data',
  ),
  fresh: 'www-data',
}
