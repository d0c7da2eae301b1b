import { phpFpm } from '../../../index.ts'
import { fileAt } from '../../../modules/file.ts'
import { listeningSocket } from '../../../modules/listening-socket.ts'
import { dropIn, dropInPath, socketUnit, socketUnitPath } from '../../../modules/php/socket-activation.ts'
import { unit } from '../../../modules/unit.ts'
import type { FileState } from '../../../probe/file.ts'
import { type Script, sh } from '../../../shell/script.ts'
import type { Example } from '../../../testing/example.ts'

const file = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0644',
  owner: 'root',
  group: 'root',
})

/** The same on both images, each with its own version. */
export const phpFpmExamples: readonly Example[] = (
  [
    ['8.2', 'bookworm'],
    ['8.4', 'sid'],
  ] as const
).flatMap(([version, image]): readonly Example[] => {
  const path = `/run/php/php${version}-fpm.sock`
  const [service, socket] = [`php${version}-fpm.service`, `php${version}-fpm.socket`]
  const [pool, global] = [`/etc/php/${version}/fpm/pool.d/www.conf`, `/etc/php/${version}/fpm/php-fpm.conf`]
  const files = { socket: path, owner: 'root', group: 'root', mode: '0600', backlog: 128 }

  const stock = sh`systemctl disable -q --now ${socket} 2>/dev/null
systemctl stop ${service} ${socket} 2>/dev/null
rm -rf -- ${[`/etc/systemd/system/${socket}`, `/etc/systemd/system/${service}.d`]}
sed -i 's/\.activated$//' ${pool}
sed -i '/^process_control_timeout/d' ${global}
systemctl daemon-reload
systemctl reset-failed ${service} 2>/dev/null
systemctl start ${service}`
  /** With a socket that nobody but root may use, by the same recipe. */
  const held: Script = sh`${stock}
systemctl stop ${service}
mkdir -p ${`/etc/systemd/system/${service}.d`}
printf '%s' ${textOf(socketUnit(version, files))} >${socketUnitPath(version)}
printf '%s' ${textOf(dropIn(version, files))} >${dropInPath(version)}
sed -i 's/^listen = .*/&.activated/' ${pool}
systemctl enable -q --now ${socket}
systemctl start ${service}`

  const running = [unit(service), { enabled: 'enabled', active: true }] as const
  const [stockPool, stockGlobal] = [
    [fileAt(pool), file(`[www]\nlisten = ${path}\n`)],
    [fileAt(global), file('[global]\n')],
  ] as const
  const asHeld = [
    running,
    stockGlobal,
    [fileAt(pool), file(`[www]\nlisten = ${path}.activated\n`)],
    [fileAt(socketUnitPath(version)), socketUnit(version, files)],
    [fileAt(dropInPath(version)), dropIn(version, files)],
    [fileAt(`/etc/systemd/system/${service}.d`), { type: 'directory', mode: '0755', owner: 'root', group: 'root' }],
    [
      listeningSocket(socket, service),
      {
        enabled: 'enabled',
        listening: { [path]: { backlog: 128, file: { mode: '0600', owner: 'root', group: 'root' } } },
      },
    ],
  ] as const
  const where = { proved: 'lab', images: [image] } as const
  return [
    {
      name: `phpFpm ${version}, socket activation, new`,
      task: () => phpFpm(version).socketActivation(),
      values: () => [running, stockPool, stockGlobal],
      before: () => stock,
      ...where,
    },
    {
      name: `phpFpm ${version}, socket activation, drifted`,
      task: () => phpFpm(version).socketActivation(),
      values: () => asHeld,
      before: () => held,
      ...where,
    },
    {
      name: `phpFpm ${version}, socket activation, off`,
      task: () => phpFpm(version).socketActivation('off'),
      values: () => asHeld,
      before: () => held,
      ...where,
    },
  ]
})

function textOf(state: FileState): string {
  return state.type === 'file' && 'text' in state.content ? state.content.text : ''
}
