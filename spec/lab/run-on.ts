/** Tasks on a host of the lab, over ssh as root, and what suites ask of such a run. */

import type { TaskList } from '../../dsl/task.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { connectLab } from '../laws/lab-ground.ts'
import { runTasks, type RunTasksOptions } from '../run-tasks.ts'
import type { Lab, LabHost } from './hosts.ts'

export async function runOn(lab: Lab<string>, host: LabHost, tasks: TaskList, options: RunTasksOptions = {}) {
  const connect = () => connectLab(lab, host)
  const lock = { holder: 'a suite', wait: 0 }
  const remote = new RemoteHost(host.name, connect, { become: 'sudo', becomePassword: undefined, lock })
  const events = await runTasks(remote, tasks, options)
  const told = events.filter((event) => event.type === 'task')
  return {
    outcomes: told.map(({ outcome }) => outcome),
    /** Keys of the places that were changed. */
    changed: told.flatMap(({ changes, outcome }) => (outcome === 'changed' ? changes.map(({ key }) => key) : [])),
    notes: told.flatMap(({ notes }) => notes),
    /** What observations saw. */
    sights: events.filter((event) => event.type === 'observation'),
    reactions: events.filter((event) => event.type === 'reaction'),
    /** Of tasks, observations and reactions, and of a host that was lost. */
    failures: events.flatMap((event) => ('failure' in event && event.failure ? [event.failure] : [])),
  }
}
