/** A folder for everything that the specs leave in temporary places; it is removed when all have ended. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export function setup(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-specs-'))
  // Sessions make their folders there, and not in /run of the machine.
  process.env['XDG_RUNTIME_DIR'] = folder
  // What must outlive a run is kept there, and not in /var/lib of the machine.
  const state = mkdtempSync(join(tmpdir(), 'fleetplay-state-'))
  process.env['XDG_STATE_HOME'] = state
  return async () => {
    rmSync(state, { recursive: true })
    // A session whose specs have ended may be about to clean up.
    for (let waited = 0; waited < 5 && readdirSync(folder).length > 0; waited += 0.1) await sleep(100)
    const left = readdirSync(folder)
    rmSync(folder, { recursive: true })
    if (left.length > 0) throw new Error(`The specs left behind: ${left.join(', ')}`)
  }
}
