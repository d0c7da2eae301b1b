/** The shells of this machine, each as a connection that finds it under the name `sh`. */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { carrier, startProcess } from '../../connection/carrier.ts'
import type { Connection } from '../../connection/connection.ts'

export interface Shell {
  readonly name: string
  readonly there: boolean
}

const commands = {
  dash: 'dash',
  bash: 'bash',
  'bash --posix': 'bash --posix',
  'busybox ash': 'busybox sh',
} as const

export type ShellName = keyof typeof commands

export const shells = (Object.keys(commands) as ShellName[]).map((name) => ({
  name,
  there: spawnSync('sh', ['-c', `${commands[name]} -c :`]).status === 0,
}))

/** A folder with a `sh` that is this shell; `PATH` for a host that has no other. */
export function folderWith(name: ShellName): string {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-spec-'))
  writeFileSync(join(folder, 'sh'), `#!/bin/sh\nexec ${commands[name]} "$@"\n`)
  chmodSync(join(folder, 'sh'), 0o755)
  return folder
}

/** This machine with another `sh`, and whatever else stands in the environment that is given. */
export function connectionWith(folder: string, environment: Readonly<Record<string, string>> = {}): Connection {
  const settings = Object.entries({ PATH: `${folder}:${process.env['PATH']}`, ...environment })
  const argv = ['env', ...settings.map(([name, value]) => `${name}=${value}`), 'sh', '-c']
  return carrier('spec', (command, traffic) => startProcess([...argv, command], traffic))
}
