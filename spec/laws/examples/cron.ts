import { cron, sh } from '../../../index.ts'
import { crontab } from '../../../modules/crontab.ts'
import { fileAt } from '../../../modules/file.ts'
import type { Example } from '../../../testing/example.ts'

const path = '/etc/cron.d/fp-law'
const gone = sh`rm -f /etc/cron.d/fp-law
crontab -u www-data -r 2>/dev/null || :`
const content = '0 4 * * * root true\n'
const there = sh`${gone}
printf '0 4 * * * root true\n' >/etc/cron.d/fp-law
chmod 0666 /etc/cron.d/fp-law`
const state = { type: 'file', content: { text: content }, mode: '0666', owner: 'root', group: 'root' }

const lines = ['# of others', '0 1 * * * true', '# fleetplay: fp-law', '0 4 * * * true', '@daily false']
const table = sh`printf '%s\n' ${lines} | crontab -u www-data -`

export const cronExamples: readonly Example[] = [
  {
    name: 'cron, new',
    task: () =>
      cron('fp-law')
        .schedule('0-59/5 2 * * mon-fri')
        .as('www-data')
        .env({ MAILTO: '' })
        .runs("date '+%F \\n' >/dev/null"),
    before: () => gone,
    proved: 'lab',
  },
  {
    name: 'cron, drifted',
    task: () => cron('fp-law').schedule('@daily').runs('true'),
    values: () => [[fileAt(path), state]],
    before: () => there,
    proved: 'lab',
  },
  {
    name: 'cron, absent',
    task: () => cron('fp-law').absent(),
    values: () => [[fileAt(path), state]],
    before: () => there,
    proved: 'lab',
  },
  {
    name: 'cron, new in a crontab',
    task: () => cron('fp-law').schedule('@hourly').as('www-data').inCrontab().runs('true'),
    before: () => gone,
    proved: 'lab',
  },
  {
    name: 'cron, drifted in a crontab',
    task: () => cron('fp-law').schedule('30 4 * * *').as('www-data').inCrontab().runs('true'),
    values: () => [[crontab('www-data'), { lines }]],
    before: () => table,
    proved: 'lab',
  },
  {
    name: 'cron, absent in a crontab',
    task: () => cron('fp-law').as('www-data').inCrontab().absent(),
    values: () => [[crontab('www-data'), { lines }]],
    before: () => table,
    proved: 'lab',
  },
]
