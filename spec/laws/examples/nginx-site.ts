import { fileAt } from '../../../modules/file.ts'
import { nginxSite } from '../../../modules/nginx/nginx-site.ts'
import { preloadHeader } from '../../../modules/nginx/preload-header.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const site = () => nginxSite('law').serverName('law.example').listen('8492').root('/var/www/law')
const file = '/etc/nginx/sites-available/law'
const link = '/etc/nginx/sites-enabled/law'
const map = '/etc/nginx/conf.d/preload-law.conf'
const snippet = '/etc/nginx/snippets/preload-law.conf'

const none = sh`rm -f ${[file, link, map, snippet]}; systemctl stop nginx`
const other = 'server { listen 8492; server_name old.example; return 404; }\n'
const state = (text: string) =>
  ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }) as const
const linked = { type: 'link', target: '../sites-available/law' } as const
const drifted = {
  values: () =>
    [
      [fileAt(file), state(other)],
      [fileAt(link), linked],
    ] as const,
  before: () => sh`${none}
printf %s ${other} >${file} && ln -s ../sites-available/law ${link}`,
  proved: 'lab' as const,
}
const preloaded = 'map $status $preload_law { default ""; }\n'

export const nginxSiteExamples: readonly Example[] = [
  { name: 'nginxSite, new', task: site, before: () => none, proved: 'lab' },
  { name: 'nginxSite, drifted', task: site, ...drifted },
  { name: 'nginxSite, removal', task: () => nginxSite('law').absent(), ...drifted },
  {
    name: 'nginxSite, in conf.d',
    task: () =>
      nginxSite('law-d')
        .serverName('law.example')
        .listen('8492')
        .inConfD()
        .location('/', { redirect: 'https://$host/' }),
    before: () => sh`${none}
rm -f /etc/nginx/conf.d/law-d.conf`,
    proved: 'lab',
  },
  {
    name: 'preloadHeader, new',
    task: () => preloadHeader('law').preload('/a%20b.css', { as: 'style' }),
    before: () => none,
    proved: 'lab',
  },
  {
    name: 'preloadHeader, removal',
    task: () => preloadHeader('law').absent(),
    values: () => [
      [fileAt(map), state(preloaded)],
      [fileAt(snippet), state('add_header Link $preload_law;\n')],
    ],
    before: () => sh`${none}
printf %s ${preloaded} >${map} && printf '%s\n' 'add_header Link $preload_law;' >${snippet}`,
    proved: 'lab',
  },
]
