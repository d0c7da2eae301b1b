/** Once for the whole lab suite: refuses a machine that cannot run it, builds the images, takes down what is left. */

import { lab, refuseOtherMachines } from './hosts.ts'

export async function setup(): Promise<void> {
  refuseOtherMachines()
  process.env.OWNER = String(process.pid) // inherited by the processes that run the suites, so that all hosts are of one owner
  await lab(['build', 'sid', 'bookworm'])
}

export async function teardown(): Promise<void> {
  await lab(['down'])
}
