/** Real sshd processes on loopback, each a host of its own for what is measured; ended when the bench ends. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

export interface BenchHost {
  readonly name: string
  readonly port: number
  /** A folder that stands for the root of the host. */
  readonly root: string
}

export interface Fleet {
  readonly hosts: readonly BenchHost[]
  readonly privateKey: string
  readonly knownHosts: string
  close(): Promise<void>
}

/** Starts so many sshd; their files are below `folder`. */
export async function startFleet(folder: string, count: number): Promise<Fleet> {
  const [privateKey, hostKey] = ['client', 'host'].map((name) => join(folder, name)) as [string, string]
  for (const key of [privateKey, hostKey]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  const publicHostKey = readFileSync(`${hostKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
  // sshd separates privileges in this directory, which Debian makes when the service starts.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true })
  const processes: ChildProcess[] = []
  const hosts: BenchHost[] = []
  for (let i = 1; i <= count; i++) {
    const port = await freePort()
    const root = join(folder, `host${i}`)
    mkdirSync(root)
    processes.push(
      spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config(folder, i, port, hostKey, `${privateKey}.pub`)], {
        stdio: 'ignore',
      }),
    )
    hosts.push({ name: `host${i}`, port, root })
  }
  const knownHosts = join(folder, 'known_hosts')
  writeFileSync(knownHosts, hosts.map(({ port }) => `[127.0.0.1]:${port} ${publicHostKey}\n`).join(''))
  await new Promise((resolve) => setTimeout(resolve, 500))
  return {
    hosts,
    privateKey,
    knownHosts,
    async close() {
      const ends = processes.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'))
      for (const child of processes) child.kill()
      await Promise.all(ends)
    },
  }
}

function config(folder: string, i: number, port: number, hostKey: string, authorized: string): string {
  const path = join(folder, `sshd${i}.conf`)
  writeFileSync(
    path,
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${authorized}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'MaxStartups 100',
      '',
    ].join('\n'),
  )
  return path
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || !address) throw new Error('no port')
  return address.port
}
