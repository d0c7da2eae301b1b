/** The shells of this machine, each as a connection that finds it under the name `sh`. */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { carrier, startProcess } from '../../connection/carrier.ts'
import type { Answer, Connection, Request } from '../../connection/connection.ts'

const commands = {
  dash: 'dash',
  bash: 'bash',
  'bash --posix': 'bash --posix',
  'busybox ash': 'busybox sh',
} as const

export type ShellName = keyof typeof commands

/** Each with a title for its specs, which says why they are skipped where they are. */
export const shells = (Object.keys(commands) as ShellName[]).map((name) => {
  const { status } = spawnSync('sh', ['-c', `${commands[name]} -c :`])
  // Only what is not there may be skipped, and not what does not start.
  if (status !== 0 && status !== 127) throw new Error(`${name} does not start: status ${status}`)
  const there = status === 0
  return { name, there, title: there ? name : `${name} (skipped: it is not installed here)` }
})

/** A private folder; `sh` in it is the shell, and programs that are given stand beside it. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'fleetplay-spec-'))
  /** Where the host keeps what must outlive a run. */
  readonly state = join(this.path, 'state')
  /** Where its lock is: beside the locks of other specs. */
  readonly lock = join(this.path, 'lock')

  constructor(shell?: ShellName) {
    if (shell) this.program('sh', `exec ${commands[shell]} "$@"`)
  }

  program(name: string, text: string): void {
    writeFileSync(join(this.path, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(this.path, name), 0o755)
  }

  /**
   * This machine with what is in the folder in front of `PATH`. The host's temporary directory is made in the folder.
   * `change` is for what a host puts in the way.
   */
  connection(environment: Readonly<Record<string, string>> = {}, change = (command: string) => command): Connection {
    const own = { XDG_RUNTIME_DIR: this.path, XDG_STATE_HOME: this.state, FLEETPLAY_LOCK_DIR: this.lock }
    const all = { PATH: `${this.path}:${process.env['PATH']}`, ...own, ...environment }
    const argv = ['env', ...Object.entries(all).map(([name, value]) => `${name}=${value}`), 'sh', '-c']
    return carrier('spec', undefined, (command, traffic) => startProcess([...argv, change(command)], traffic))
  }

  /** What the program has left in it. */
  left(): readonly string[] {
    return readdirSync(this.path).filter((name) => name.startsWith('fleetplay.'))
  }

  remove(): void {
    // A session that has ended may still be clearing up in it.
    rmSync(this.path, { recursive: true, maxRetries: 20, retryDelay: 50 })
  }
}

export function ask(script: string, input?: string | Uint8Array, deadline = 10): Request {
  return { script, input, deadline }
}

export function told({ status, stdout, stderr, timedOut }: Answer) {
  return { status, stdout: stdout.toString(), stderr: stderr.toString(), timedOut }
}

/** Numbers of the processes of this machine with exactly these arguments. */
export function processes(...words: readonly string[]): readonly number[] {
  const wanted = `${words.join('\0')}\0`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandLine(pid) === wanted)
}

function commandLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return undefined
  }
}

export async function until(what: () => boolean, seconds = 10): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
