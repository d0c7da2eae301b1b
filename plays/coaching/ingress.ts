/** HAProxy on the edge: connections go to a web host that is well. */

import { haproxyBackend, haproxyConfig, haproxyFrontend, service, type TaskList } from 'fleetplay'

interface WebHost {
  readonly name: string
  readonly address: string
}

/** TLS and HTTP/2 end on the web hosts, which send the early hints; here bytes pass through. */
export const ingress = (webHosts: readonly WebHost[]): TaskList => [
  haproxyConfig()
    .defaults({ mode: 'tcp' })
    .frontend(haproxyFrontend('https').bind('443').defaultBackend('web'))
    .backend(haproxyBackend('web').balance('leastconn').servers(webHosts, 443, { check: true })),
  service('haproxy').enabled().started(),
]
