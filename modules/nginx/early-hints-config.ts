/** The configurations that deliver 103 Early Hints, as text. */

import { portOf } from '../listen-address.ts'
import type { Delivery, PhpSite, Site } from './site.ts'

/** Paths of what a site has on a host; all bear its name, so that nothing of it can be mistaken for another's. */
export function placesOf(name: string) {
  const id = `early-hints-${name}`
  return {
    unit: `${id}.service`,
    unitFile: `/etc/systemd/system/${id}.service`,
    nginxConfig: `/etc/nginx/conf.d/${id}.conf`,
    nginxDropIn: `/etc/systemd/system/nginx.service.d/${id}.conf`,
    haproxyConfig: `/etc/haproxy/${id}.cfg`,
    certificate: `/etc/haproxy/${id}.pem`,
    key: `/etc/haproxy/${id}.pem.key`,
    tmpfiles: `/etc/tmpfiles.d/${id}.conf`,
    folder: `/run/${id}`,
    hintsSocket: `/run/${id}/hints.sock`,
    originSocket: `/run/${id}/origin.sock`,
  } as const
}

export type Places = ReturnType<typeof placesOf>

/** Who may pass to the sockets: nginx makes its own for everybody (0666), so the folder must keep others out. */
export const folderOwned = { mode: '0750', owner: 'haproxy', group: 'www-data' } as const

export function tmpfilesText(name: string, { folder }: Places): string {
  const { mode, owner, group } = folderOwned
  return `${written(name)}d ${folder} ${mode} ${owner} ${group} -\n`
}

/** nginx that was killed leaves its socket behind, and would not start again: «bind() … failed (98: Address already in use)». */
export function dropInText(name: string, { originSocket }: Places): string {
  return `${written(name)}[Service]\nExecStartPre=-/bin/rm -f ${originSocket}\n`
}

export function nginxText(name: string, delivery: Delivery, places: Places): string {
  return written(name) + nginxParts(name, delivery, places).join('\n')
}

function nginxParts(name: string, delivery: Delivery, places: Places): readonly string[] {
  const { route, site } = delivery
  if (route === 'edge') return [originServer(site, places)]
  if (route === 'forward') return [condition(name), tlsServer(name, site, delivery.upstream)]
  return [
    condition(name),
    upstreams(name, places),
    tlsServer(name, site, `http://$${variable(name)}_upstream`),
    originServer(site, places),
  ]
}

/** nginx is asked to pass a 103 on for HTTP/2 navigations only: old HTTP/1 clients take it for the answer. */
function condition(name: string): string {
  return `map $http_sec_fetch_mode $${variable(name)} {
    default  "";
    navigate $http2;
}
`
}

/** Only what may get a 103 goes through HAProxy; and where HAProxy is down, that goes straight to the origin too. */
function upstreams(name: string, { hintsSocket, originSocket }: Places): string {
  const id = variable(name)
  return `map $${id} $${id}_upstream {
    ""      ${id}_origin;
    default ${id}_hints;
}
upstream ${id}_hints {
    server unix:${hintsSocket};
    server unix:${originSocket} backup;
}
upstream ${id}_origin {
    server unix:${originSocket};
}
`
}

function tlsServer(name: string, { serverNames, listen, certificate, key }: Site, upstream: string): string {
  return `server {
${listen.map((address) => `    listen ${address} ssl;\n`).join('')}    http2 on;
    server_name ${serverNames.join(' ')};
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;

    early_hints $${variable(name)};

    location / {
        proxy_pass ${upstream};
        proxy_next_upstream error;
        proxy_http_version 1.1;
        # The 103 and the head of the page share this buffer.
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        proxy_busy_buffers_size 32k;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto https;
    }
}
`
}

function originServer({ serverNames, listen, root, fastcgi }: PhpSite, { originSocket }: Places): string {
  return `server {
    listen unix:${originSocket};
    server_name ${serverNames.join(' ')};
    root ${root};
    index index.php index.html;

    set_real_ip_from unix:;
    real_ip_header X-Real-IP;

    location / {
        try_files $uri $uri/ /index.php$is_args$args;
    }
    location ~ /\\.(?!well-known/) {
        return 404;
    }
    location ~ \\.php$ {
        try_files $uri =404;
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
        fastcgi_param HTTPS on;
        fastcgi_param REQUEST_SCHEME https;
        fastcgi_param SERVER_PORT ${portOf(listen[0]!)};
        fastcgi_pass unix:${fastcgi};
    }
}
`
}

export function haproxyText(name: string, site: PhpSite, route: 'hop' | 'edge', places: Places): string {
  // Consecutive rules without a condition are one 103; with conditions each would be another, and browsers read the first only.
  const hints = site.links.map((link) => `    http-request early-hint Link '${link.replaceAll('%', '%%')}'\n`).join('')
  const origin = `    server nginx unix@${places.originSocket}\n`
  const head = `${written(name)}global
${route === 'edge' ? '    user haproxy\n    group haproxy\n    ssl-default-bind-options ssl-min-ver TLSv1.2\n' : ''}    log stdout format raw daemon warning

defaults
    mode http
    log global
    timeout connect 5s
    timeout http-request 10s
    timeout client 60s
    timeout server 60s

`
  if (route === 'hop') {
    return `${head}frontend early-hints
    bind unix@${places.hintsSocket} mode 666
${hints}    default_backend origin

backend origin
${origin}`
  }
  const binds = site.listen.map((address) => {
    const [at, only] = address.startsWith('[')
      ? [address, ' v6only']
      : [address.includes(':') ? address : `0.0.0.0:${address}`, '']
    return `    bind ${at}${only} ssl crt ${places.certificate} alpn h2,http/1.1\n`
  })
  return `${head}frontend early-hints
${binds.join('')}    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto https
    use_backend navigation if { fc_http_major 2 } { req.hdr(sec-fetch-mode) -m str navigate }
    default_backend origin

backend navigation
${hints}${origin}
backend origin
${origin}`
}

/** An instance of its own: Debian's reads one file, and takes another set of files at a restart only. */
export function unitText(name: string, route: 'hop' | 'edge', places: Places): string {
  return `${written(name)}[Unit]
Description=HAProxy that sends the 103 Early Hints of ${name}
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
ExecStart=/usr/sbin/haproxy -Ws -f ${places.haproxyConfig}
ExecReload=/usr/sbin/haproxy -c -f ${places.haproxyConfig}
ExecReload=/bin/kill -USR2 $MAINPID
${route === 'hop' ? 'User=haproxy\nGroup=haproxy\n' : ''}KillMode=mixed
SuccessExitStatus=143
Restart=always
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${places.folder}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes

[Install]
WantedBy=multi-user.target
`
}

/** A name as nginx's variables can bear it. */
function variable(name: string): string {
  return `early_hints_${name.replaceAll('-', '_')}`
}

function written(name: string): string {
  return `# nginxEarlyHints('${name}') of fleetplay writes this file.\n`
}
