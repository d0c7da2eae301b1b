import { expect, it } from 'vitest'
import { crontab } from '../../modules/crontab.ts'
import { fileAt } from '../../modules/file.ts'
import { kernelParameter } from '../../modules/kernel-parameter.ts'
import { maintenance } from '../../modules/mysql/client.ts'
import { haproxyFile } from '../../modules/haproxy-file.ts'
import { nginxTest } from '../../modules/nginx/configuration-test.ts'
import { systemdFile } from '../../modules/nginx/systemd-file.ts'
import { daemonReload, reload, restart } from '../../modules/service.ts'
import { editedFile } from '../../modules/text-file.ts'
import { moveUnit } from '../../modules/unit-control.ts'
import { installVersion, remove, upgrade } from '../../modules/apt-run.ts'
import type { Script } from '../../shell/script.ts'

const absent = { type: 'absent' } as const
const off = { enabled: 'disabled', active: false } as const
const on = { enabled: 'enabled', active: true } as const
const file = (text: string) =>
  ({ type: 'file', mode: '0644', owner: 'root', group: 'root', content: { text } }) as const
const apt = { names: ['nginx', 'curl'], recommends: true, refresh: undefined }

it.each<[string, Script]>([
  ['systemctl restart nginx.service', restart('nginx').script],
  ['systemctl reload nginx.service', reload('nginx').script],
  ['systemctl daemon-reload', daemonReload('nginx.service').script],
  ['systemctl enable --now nginx.service', moveUnit('nginx.service', on, off)],
  ['systemctl start nginx.service', moveUnit('nginx.service', { ...off, active: true }, off)],
  ['systemctl disable --now nginx.service', moveUnit('nginx.service', off, on)],
  ['systemctl disable --now nginx.service', moveUnit('nginx.service', { ...off, enabled: 'static' }, on)],
  [
    'systemctl unmask nginx.service; systemctl enable nginx.service',
    moveUnit('nginx.service', { ...on, active: false }, { ...off, enabled: 'masked' }),
  ],
  ['nginx -t', nginxTest().test],
  ['haproxy -c, with /etc/haproxy/haproxy.cfg', haproxyFile('/etc/haproxy/haproxy.cfg').write!(file('a'), absent)],
  [
    'write /etc/systemd/system/a.service; systemctl daemon-reload',
    systemdFile('/etc/systemd/system/a.service').write!(file('a'), file('b')),
  ],
  ['write /etc/motd', fileAt('/etc/motd').write!(file('a'), absent)],
  ['write /etc/motd', editedFile('/etc/motd').write!(file('a'), file('b'))],
  ['ln -s /a /b', fileAt('/b').write!({ type: 'link', target: '/a' }, absent)],
  [
    'chown www-data:root /etc/motd; chmod 0644 /etc/motd',
    fileAt('/etc/motd').write!({ ...file('a'), owner: 'www-data' }, file('a')),
  ],
  ['write 1 to /proc/sys/net/ipv4/ip_forward', kernelParameter('net.ipv4.ip_forward').write!('1', '0')],
  ['apt-get install nginx=1.26', installVersion('nginx', '1.26', apt)],
  ['apt-get install --only-upgrade nginx curl', upgrade('nginx', apt)],
  ['apt-get purge nginx curl', remove('nginx', apt.names, true)],
  ['crontab -u www-data -', crontab('www-data').write!({ lines: ['@daily true'] }, null)],
  ['analyze table `a` drop histogram on `b`', maintenance(['analyze table `a` drop histogram on `b`'], undefined)],
])('a failure of it says: %s', (words, script) => {
  expect(script.brief).toBe(words)
})
