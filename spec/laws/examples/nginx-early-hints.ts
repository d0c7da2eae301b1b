import { fileAt } from '../../../modules/file.ts'
import { nginxEarlyHints } from '../../../modules/nginx/early-hints.ts'
import { placesOf } from '../../../modules/nginx/early-hints-config.ts'
import { haproxyVersion, nginxVersion } from '../../../modules/software-version.ts'
import { unitFrom } from '../../../modules/unit.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const certificate = '/etc/ssl/law/cert.pem'
const key = '/etc/ssl/law/key.pem'
const places = placesOf('law')

const tls = () => nginxEarlyHints('law').serverName('law.example').tls({ certificate, key })
const site = () =>
  tls()
    .root('/var/www/law')
    .fastcgi('/run/php/law.sock')
    .preload('/assets/x%20y.css', { as: 'style', type: 'text/css' })

const prepare = sh`mkdir -p /etc/ssl/law /var/www/law
[ -e ${key} ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=law.example -keyout ${key} -out ${certificate} 2>/dev/null`

const none = sh`systemctl disable -q --now ${places.unit} 2>/dev/null
rm -rf -- ${[places.nginxConfig, places.nginxDropIn, places.haproxyConfig, places.certificate, places.key]} ${places.unitFile} ${places.tmpfiles} ${places.folder}
systemctl daemon-reload
systemctl disable -q --now nginx`

const other = { type: 'file', content: { text: '# another\n' }, mode: '0644', owner: 'root', group: 'root' } as const
const drifted = sh`${none}
printf '# another\n' >${places.nginxConfig}
mkdir -p ${places.folder}
systemctl enable -q --now nginx`

/** A site that is there: what becomes of it does not depend on what it says. */
const texts = {
  nginx: `server { listen unix:${places.originSocket}; server_name law.example; return 404; }\n`,
  haproxy: `defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\nlisten law\n bind unix@${places.hintsSocket}\n server nginx unix@${places.originSocket}\n`,
  unit: `[Service]\nType=notify\nExecStart=/usr/sbin/haproxy -Ws -f ${places.haproxyConfig}\n[Install]\nWantedBy=multi-user.target\n`,
  tmpfiles: `d ${places.folder} 0750 haproxy www-data -\n`,
} as const
const state = (text: string) =>
  ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }) as const
const there = sh`${none}
install -d -m 0750 -o haproxy -g www-data ${places.folder}
printf %s ${texts.nginx} >${places.nginxConfig}
printf %s ${texts.haproxy} >${places.haproxyConfig}
printf %s ${texts.unit} >${places.unitFile}
printf %s ${texts.tmpfiles} >${places.tmpfiles}
systemctl daemon-reload
systemctl enable -q --now nginx ${places.unit}`

const newer = [
  [nginxVersion, '1.30.6'],
  [haproxyVersion, '3.2.26'],
] as const

export const nginxEarlyHintsExamples: readonly Example[] = [
  {
    name: 'nginxEarlyHints, hop, new',
    task: () => site().hop(),
    values: () => newer,
    before: () => none,
    proved: 'lab',
    images: ['sid'],
    prepare,
  },
  {
    name: 'nginxEarlyHints, edge, new',
    task: () => site().edge(),
    before: () => none,
    proved: 'lab',
    prepare,
  },
  {
    name: 'nginxEarlyHints, edge, drifted',
    task: () => site().edge(),
    values: () => [[fileAt(places.nginxConfig), other]],
    before: () => drifted,
    proved: 'lab',
    prepare,
  },
  {
    name: 'nginxEarlyHints, forward, drifted',
    task: () => tls().forward('http://127.0.0.1:3000'),
    values: () => [...newer, [fileAt(places.nginxConfig), other]],
    before: () => drifted,
    proved: 'lab',
    images: ['sid'],
    prepare,
  },
  {
    name: 'nginxEarlyHints, removal',
    task: () => nginxEarlyHints('law').absent(),
    values: () => [
      [fileAt(places.nginxConfig), state(texts.nginx)],
      [fileAt(places.haproxyConfig), state(texts.haproxy)],
      [fileAt(places.unitFile), state(texts.unit)],
      [fileAt(places.tmpfiles), state(texts.tmpfiles)],
      [fileAt(places.folder), { type: 'directory', mode: '0750', owner: 'haproxy', group: 'www-data' }],
      [unitFrom(places.unit, places.unitFile), { enabled: 'enabled', active: true }],
    ],
    before: () => there,
    proved: 'lab',
    prepare,
  },
]
