/** 103 Early Hints: the browser loads what every page needs while PHP still makes the page. */

import { http, nginxEarlyHints, type TaskList } from 'fleetplay'
import { type Php, phpSocket } from './php-fpm.ts'

export interface Site {
  readonly domain: string
  /** The host's own address. */
  readonly address: string
  /** The folder of cert.pem and key.pem. */
  readonly tls: string
  readonly selfSigned?: boolean | undefined
  /** The folder of WordPress. */
  readonly site: string
  readonly php: Php
}

const assets = '/wp-content/themes/eistruttore/assets'
const style = `${assets}/css/critical-coach.min.css`
const script = `${assets}/js/calendar.min.js`

/** nginx alone sends no 103 in front of php-fpm; by `hop` a HAProxy between two servers of it does. */
export function earlyHints({ domain, address, tls, selfSigned, site, php }: Site): TaskList {
  const page = http(`https://${domain}/`).via(address)
  return [
    nginxEarlyHints('coaching')
      .serverName(domain)
      .tls({ certificate: `${tls}/cert.pem`, key: `${tls}/key.pem` })
      .root(site)
      .fastcgi(phpSocket(php))
      .preload(style, { as: 'style' })
      .preload(script, { as: 'script' })
      .hop(),
    (selfSigned ? page.insecure() : page)
      .expect({ status: 200, protocol: 'HTTP/2', earlyHints: [style, script] })
      .retry(5, '1s')
      .tags('watch'),
  ]
}
