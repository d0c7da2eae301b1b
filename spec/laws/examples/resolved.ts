import { resolved, sh } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

const folder = '/etc/systemd/resolved.conf.d'
const path = `${folder}/law.conf`
const text = '[Resolve]\nCache=no\n'
const directory = { type: 'directory', mode: '0755', owner: 'root', group: 'root' }
const other = { type: 'file', content: { text }, mode: '0644', owner: 'root', group: 'root' }

const none = sh`rm -f -- ${path}; rmdir -- ${folder} 2>/dev/null; true`
const there = sh`mkdir -p -- ${folder} && printf %s ${text} >${path} && chmod 0644 -- ${path}`

const cache = () =>
  resolved('law').set({
    Cache: 'yes',
    DNS: ['127.0.0.9#ns.example', '[::1]:5300'],
    Domains: ['~example'],
    FallbackDNS: [],
  })

export const resolvedExamples: readonly Example[] = [
  { name: 'resolved, new', task: cache, before: () => none, proved: 'lab' },
  {
    name: 'resolved, drifted',
    task: cache,
    values: () => [
      [fileAt(folder), directory],
      [fileAt(path), other],
    ],
    before: () => there,
    proved: 'lab',
  },
  {
    name: 'resolved, absent',
    task: () => resolved('law').absent(),
    values: () => [
      [fileAt(folder), directory],
      [fileAt(path), other],
    ],
    before: () => there,
    proved: 'lab',
  },
]
