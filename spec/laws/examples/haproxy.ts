import { haproxyBackend } from '../../../modules/haproxy/backend.ts'
import { haproxyConfig, haproxyConfigPath } from '../../../modules/haproxy/config.ts'
import { haproxyEarlyHints } from '../../../modules/haproxy/early-hints.ts'
import { haproxyFrontend } from '../../../modules/haproxy/frontend.ts'
import { fileAt } from '../../../modules/file.ts'
import { sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const config = () =>
  haproxyConfig()
    .global({ maxconn: 100 })
    .frontend(haproxyFrontend('law').bind('8490').preload('/a%20b.css', { as: 'style' }).defaultBackend('law'))
    .backend(
      haproxyBackend('law')
        .healthCheck('/')
        .server('law', '127.0.0.1:8491', { check: { every: '30s' } }),
    )

const frontend =
  'defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nfrontend law\n  bind :8490\n'
const rest = '  http-request deny if { path /no }\n  default_backend law\nbackend law\n  server law 127.0.0.1:8491\n'
const hint = (target: string) =>
  `  http-request early-hint Link '<${target}>; rel=preload; as=style' if { fc_http_major ge 2 } { req.hdr(sec-fetch-mode) -m str navigate } # haproxyEarlyHints() of fleetplay\n`

const state = (text: string) =>
  ({ type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }) as const
const there = (text: string) => sh`printf '%s' ${text} >${haproxyConfigPath}; systemctl stop haproxy`
const holding = (text: string) => ({
  values: () => [[fileAt(haproxyConfigPath), state(text)]] as const,
  before: () => there(text),
  proved: 'lab' as const,
})

export const haproxyExamples: readonly Example[] = [
  {
    name: 'haproxyConfig, new',
    task: config,
    before: () => sh`rm -f ${haproxyConfigPath}; systemctl stop haproxy`,
    proved: 'lab',
  },
  { name: 'haproxyConfig, drifted', task: config, ...holding(frontend + rest) },
  {
    name: 'haproxyEarlyHints, new',
    task: () => haproxyEarlyHints('law').preload('/a.css', { as: 'style' }),
    ...holding(frontend + rest),
  },
  {
    name: 'haproxyEarlyHints, drifted',
    task: () => haproxyEarlyHints('law').preload('/a.css', { as: 'style' }),
    ...holding(frontend + hint('/old.css') + rest),
  },
  {
    name: 'haproxyEarlyHints, removal',
    task: () => haproxyEarlyHints('law').absent(),
    ...holding(frontend + hint('/a.css') + rest),
  },
]
