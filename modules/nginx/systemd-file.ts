/** Files of systemd that a site brings: a unit of its own, and drop-ins. */

import { dirname } from 'node:path/posix'
import type { Resource } from '../../dsl/resource.ts'
import type { FileState } from '../../probe/file.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import { fileAt } from '../file.ts'

/**
 * A file of systemd: a unit, or a drop-in whose folder is made. A new one is read by systemd when its unit is started or
 * reloaded; another content and a removal at once, and the unit that is named is restarted where it runs.
 */
export function systemdFile(path: string, restart?: string): Resource<FileState> {
  const place = fileAt(path)
  const folder = dirname(path)
  const isDropIn = folder.endsWith('.d')
  return {
    ...place,
    write: (to, from) => {
      const change = place.write!(to, from)
      const steps = [
        sh`(
${change}
) || exit`.called(`write ${path}`),
      ]
      if (isDropIn && to.type !== 'absent') steps.unshift(sh`mkdir -p -- ${folder} || exit`)
      if (isDropIn && to.type === 'absent') steps.push(sh`rmdir --ignore-fail-on-non-empty -- ${folder}`)
      if (from.type !== 'absent') steps.push(sh`systemctl daemon-reload || exit`.called('systemctl daemon-reload'))
      if (from.type === 'file' && to.type === 'file' && restart)
        steps.push(sh`systemctl try-restart -- ${restart}`.called(`systemctl try-restart ${restart}`))
      return carrying(lines(...steps), change).touches('unit:*')
    },
  }
}

/** A script with the standard input and the touched places of the one that is spliced into it. */
function carrying(script: Script, { input, touched = [] }: Script): Script {
  return (input === undefined ? script : script.reading(input)).touches(...touched)
}
