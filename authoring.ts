/** What a module is written with, for those who write their own. */

export { type Finding, type FromOutside, Observation, type Observed, type View } from './dsl/observation.ts'
export { type Guard } from './dsl/guard.ts'
export { type Identity, look, type Resource, want, type Wish } from './dsl/resource.ts'
export { irreversible, note, type Reading, refuse, Task, type Verdict } from './dsl/task.ts'
export { type Collector, type Output, Probe } from './probe/probe.ts'
export { fileAt } from './modules/file.ts'
export { Failure } from './errors/failure.ts'
export { lines, Script, sh } from './shell/script.ts'
export { isSecret, reveal, type Secret } from './shell/secret.ts'
