/** The kinds of qdisc that the kernel of a host has. */

import type { Resource } from '../../dsl/resource.ts'
import { Probe, unparsable } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

/** Kinds, in order; `unknown` where the host does not have the list of its kernel's modules, as in a container. */
export type KernelQdiscs = readonly string[] | 'unknown'

/** Those that are loaded, built in, or in a module: the kernel loads one by itself when it is first asked for it. */
export const kernelQdiscs: Resource<KernelQdiscs> = {
  key: 'module:sch_*',
  label: 'kinds of qdisc',
  read: Probe.script(
    sh`for m in /sys/module/sch_*; do [ ! -d "$m" ] || echo "$m.ko"; done
read -r release </proc/sys/kernel/osrelease
cd "/lib/modules/$release" 2>/dev/null && [ -r modules.dep ] || { echo '?'; exit; }
for f in modules.dep modules.builtin; do [ ! -r "$f" ] || grep -o '^[^:]*/sch_[a-z_0-9]*\.ko' "$f"; done; :`,
    (output) => {
      const text = output.stdout.toString()
      if (output.status !== 0) throw unparsable('the modules of the kernel', output)
      if (text.endsWith('?\n')) return 'unknown'
      return [...new Set([...text.matchAll(/\/sch_([a-z_0-9]+)\.ko$/gm)].map(([, kind]) => kind!))].toSorted()
    },
  ),
  fresh: ['cake', 'fq', 'fq_codel', 'htb', 'netem', 'pie', 'prio', 'sfq', 'tbf'],
}
