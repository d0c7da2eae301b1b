import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Folder } from '../connection/shells.ts'
import { LabGround } from './lab-ground.ts'

it.skipIf(existsSync('/etc/fleetplay-lab'))('a machine that is no host of the lab is refused', async () => {
  const folder = new Folder()
  const connection = folder.connection()
  await expect(LabGround.on('here', () => Promise.resolve(connection))).rejects.toThrow(
    'here has no /etc/fleetplay-lab, so it is no host of the lab: no law is tried on it, since laws change hosts',
  )
  await connection.close()
  folder.remove()
})
