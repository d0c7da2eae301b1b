/** Whether a host can deliver early hints by a route, and what a reader should know beside it. */

import { look, type Wish } from '../../dsl/resource.ts'
import { note, type Reading, refuse, type Verdict } from '../../dsl/task.ts'
import { ipv6, listeners } from '../listeners.ts'
import { isIpv6, portOf } from '../listen-address.ts'
import { presence } from '../presence.ts'
import { atLeast, haproxyVersion, nginxVersion } from '../software-version.ts'
import { hintingNginx } from './directives.ts'
import { nginxServers, sameName } from './servers.ts'
import type { Delivery } from './site.ts'
import { nginxUser } from './worker-user.ts'

/** The oldest HAProxy on which both routes were seen to work. */
const oldestHaproxy = '2.6'

export function looks({ site, route }: Delivery): readonly Wish[] {
  const haproxy = route === 'forward' ? [] : [look(haproxyVersion), look(nginxUser)]
  return [look(nginxVersion), ...haproxy, look(listeners(port(site))), look(nginxServers(site.serverNames)), look(ipv6)]
}

/** Paths that others must make. */
export function neededFiles(delivery: Delivery): Wish[] {
  return Object.keys(needs(delivery)).map((path) => look(presence(path)))
}

export function verdicts(delivery: Delivery, unit: string, configPath: string, { now }: Reading): readonly Verdict[] {
  const refusal =
    software(delivery, now) ??
    surroundings(delivery, unit, now) ??
    (delivery.route === 'edge'
      ? undefined
      : sameName(
          now(nginxServers(delivery.site.serverNames)),
          delivery.site.serverNames,
          [port(delivery.site)],
          [configPath],
        ))
  if (refusal) return [refusal]
  return Object.entries(needs(delivery)).flatMap(([path, without]) =>
    now(presence(path)) ? [] : [note(`${path} is not there now: ${without}`)],
  )
}

function software({ route }: Delivery, now: Reading['now']): Verdict | undefined {
  const [nginx, haproxy] = [now(nginxVersion), route === 'forward' ? null : now(haproxyVersion)]
  if (nginx === null) return refuse('nginx is not installed.', 'Install the package nginx before this task.')
  if (route !== 'edge' && !atLeast(nginx, hintingNginx)) {
    return refuse(
      `nginx ${nginx} does not know early_hints (${hintingNginx} and later do), so .${route}() cannot send a 103.`,
      route === 'forward'
        ? `For pages that php-fpm makes, .edge() works with any nginx; else nginx ${hintingNginx} is needed.`
        : haproxy !== null && atLeast(haproxy, oldestHaproxy)
          ? '.edge() would work here.'
          : `.edge() would work with this nginx, once HAProxy ${oldestHaproxy} or later is installed.`,
    )
  }
  if (route === 'forward') return undefined
  if (haproxy === null) {
    return refuse(
      `HAProxy is not installed, by which .${route}() sends the 103.`,
      'Install the package haproxy before this task.',
    )
  }
  if (!atLeast(haproxy, oldestHaproxy)) {
    return refuse(
      `HAProxy ${haproxy} is older than ${oldestHaproxy}, the oldest on which .${route}() is known to work.`,
    )
  }
  return undefined
}

function surroundings({ site, route }: Delivery, unit: string, now: Reading['now']): Verdict | undefined {
  const user = route === 'forward' ? 'www-data' : now(nginxUser)
  if (user !== 'www-data') {
    return refuse(
      `nginx's workers run as ${user} here, and could not pass to the sockets, which are for the group www-data.`,
      'Say `user www-data;` in /etc/nginx/nginx.conf, as Debian does.',
    )
  }
  if (!now(ipv6) && site.listen.some(isIpv6)) {
    return refuse('This host has no IPv6, so nothing can listen on [::].', `Say .listen('${port(site)}').`)
  }
  const mine = route === 'edge' ? unit : 'nginx.service'
  const others = now(listeners(port(site))).filter((name) => name !== mine)
  if (others.length > 0) {
    return refuse(
      `Port ${port(site)} belongs to ${others.join(' and ')}, and ${mine} could not listen on it.`,
      route === 'edge' && others.includes('nginx.service')
        ? 'Let the TLS sites of nginx leave the port first, or choose .hop(), which leaves TLS to nginx.'
        : 'Let it leave the port, or give this site another with .listen().',
    )
  }
  return undefined
}

function needs(delivery: Delivery): Readonly<Record<string, string>> {
  const { certificate, key } = delivery.site
  const reader = delivery.route === 'edge' ? 'HAProxy' : 'nginx'
  const refused = `${reader} refuses the configuration without it.`
  return {
    [certificate]: refused,
    [key]: refused,
    ...(delivery.route !== 'forward' && { [delivery.site.fastcgi]: 'pages are answered 502 until php-fpm makes it.' }),
  }
}

function port({ listen }: Delivery['site']): number {
  return portOf(listen[0]!)
}
