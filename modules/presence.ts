/** Whether something is at a path, without a look at its content. */

import type { Resource } from '../dsl/resource.ts'
import { type Collector, Probe, unparsable } from '../probe/probe.ts'
import { sh } from '../shell/script.ts'

/** Whether something is at a path; links are followed. Contents stay unread. */
export function presence(path: string, fresh = false): Resource<boolean> {
  return { key: `presence:${path}`, label: path, read: Probe.of(present, path), fresh }
}

const present: Collector<string, boolean> = {
  name: 'presence',
  ask: (paths) => sh`for p in ${paths}; do if [ -e "$p" ]; then printf y; else printf n; fi; done`,
  answers: (output, paths) => {
    const said = output.stdout.toString()
    if (said.length !== paths.length) throw unparsable('paths', output)
    return Array.from(said, (letter) => letter === 'y')
  },
}
