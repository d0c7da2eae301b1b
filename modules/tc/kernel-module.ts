/** Whether the kernel has a module. */

import type { Resource } from '../../dsl/resource.ts'
import { Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

/** `unknown` where the host does not have the list of its kernel's modules, as in a container. */
export type KernelModule = 'loaded' | 'available' | 'missing' | 'unknown'

const answers: readonly string[] = ['loaded', 'available', 'missing', 'unknown'] satisfies KernelModule[]

/** Whether a module is loaded, or could be: the kernel loads one by itself when it is first asked for it. */
export function kernelModule(name: string): Resource<KernelModule> {
  return {
    key: `module:${name}`,
    read: Probe.script(
      sh`[ ! -d /sys/module/${name} ] || { echo loaded; exit; }
read -r release </proc/sys/kernel/osrelease
cd "/lib/modules/$release" 2>/dev/null && [ -r modules.dep ] || { echo unknown; exit; }
if grep -qs ${`/${name}\\.ko`} modules.dep modules.builtin; then echo available; else echo missing; fi`,
      (output) => {
        const answer = output.stdout.toString().trim()
        if (!answers.includes(answer)) throw unparsable(`the kernel module ${name}`, output)
        return answer as KernelModule
      },
    ),
    fresh: 'available',
  }
}
