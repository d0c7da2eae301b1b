/** From a host of an inventory to a connection, or to what the engine works on. */

import { existsSync, readFileSync } from 'node:fs'
import type { Connection, Lock, LockedBy } from '../connection/connection.ts'
import type { ResolvedTarget, SshResolver } from '../connection/ssh-config.ts'
import type { SshPool } from '../connection/ssh.ts'
import type { InventoryHost, Simulated } from '../dsl/inventory.ts'
import type { Host } from '../engine/host.ts'
import { RemoteHost } from '../engine/remote-host.ts'
import { Failure } from '../errors/failure.ts'
import { coverAlso } from '../shell/secret.ts'
import type { ConnectionOptions } from './options.ts'
import { SandboxHost, sandboxFolder } from './sandbox.ts'
import { ask } from './terminal.ts'

export interface ConnectorOptions {
  readonly connection: ConnectionOptions
  /** The inventory's name: the state of simulated hosts is kept under it. */
  readonly inventory: string
  /** Simulated hosts keep what happens to them. */
  readonly keep: boolean
  /** For what changes hosts: each is locked while it is worked on. Simulated hosts have no lock. */
  readonly lock?: HostLock | undefined
}

export interface HostLock extends Pick<Lock, 'holder' | 'wait' | 'signal'> {
  /** Told of a host on which another run works, for whose end this one waits. */
  readonly waiting: (host: string, whose: LockedBy) => void
}

export interface Connector {
  /** What the engine works on; it connects when it is first asked. */
  readonly host: (host: InventoryHost) => Host
  /** @throws Failure E_CONNECT and its like; E_OPTION for a simulated host, which has no shell */
  readonly connection: (host: InventoryHost) => Promise<Connection>
  /** Where ssh would go. */
  readonly target: (host: InventoryHost) => Promise<ResolvedTarget>
  readonly becomePassword: string | undefined
}

/** Asks for, or reads, what is needed to connect; nothing is connected to yet. */
export async function connector({ connection: options, inventory, keep, lock }: ConnectorOptions): Promise<Connector> {
  const becomePassword = await becomePasswordFrom(options)
  if (becomePassword !== undefined) coverAlso(becomePassword)
  if (options.privateKey !== undefined && !existsSync(options.privateKey)) {
    throw new Failure('E_OPTION', `--private-key ${options.privateKey}: there is no such file.`)
  }
  let ssh: { readonly resolver: SshResolver; readonly pool: SshPool } | undefined

  async function loadSsh() {
    const [{ sshResolver }, { SshPool }] = await Promise.all([
      import('../connection/ssh-config.ts'),
      import('../connection/ssh.ts'),
    ])
    return (ssh ??= { resolver: sshResolver(), pool: new SshPool() })
  }

  async function target(host: InventoryHost): Promise<ResolvedTarget> {
    const { resolver } = await loadSsh()
    const { user, port, privateKey, jump, knownHosts } = host.ssh
    return resolver.resolve({
      name: host.name,
      host: host.address,
      user: options.user ?? user,
      port,
      privateKey: options.privateKey ?? privateKey,
      jump,
      knownHosts,
    })
  }

  async function connection(host: InventoryHost): Promise<Connection> {
    const { carrier } = host
    if (carrier === 'local') return (await import('../connection/local.ts')).localConnection()
    if (carrier === 'ssh') {
      const { connectSsh } = await import('../connection/ssh.ts')
      const resolved = await target(host)
      return connectSsh(resolved, { pool: (await loadSsh()).pool })
    }
    if ('exec' in carrier) return (await import('../connection/exec.ts')).execConnection(carrier.exec)
    throw new Failure('E_OPTION', `${host.name} is simulated: it has no shell.`)
  }

  return {
    becomePassword,
    target,
    connection,
    host: (host) => {
      const simulation = simulated(host)
      if (simulation) return new SandboxHost(host, simulation, sandboxFolder(inventory), keep)
      const waiting = (whose: LockedBy) => lock?.waiting(host.name, whose)
      return new RemoteHost(host.name, () => connection(host), {
        become: host.become,
        becomePassword,
        lock: lock && { ...lock, waiting },
      })
    },
  }
}

/** How a host is simulated; undefined for a real one. */
export function simulated({ carrier }: Pick<InventoryHost, 'carrier'>): Simulated | undefined {
  return typeof carrier === 'object' && 'simulated' in carrier ? carrier.simulated : undefined
}

async function becomePasswordFrom({
  becomePasswordFile: file,
  askBecomePass,
}: ConnectionOptions): Promise<string | undefined> {
  if (file !== undefined) {
    try {
      return readFileSync(file, 'utf8').split(/\r?\n/)[0]
    } catch (error) {
      throw new Failure('E_OPTION', `--become-password-file ${file} cannot be read.`, { cause: error })
    }
  }
  if (!askBecomePass) return undefined
  if (!process.stdin.isTTY) {
    throw new Failure('E_OPTION', '--ask-become-pass needs a terminal to ask on.', {
      hint: 'Use --become-password-file.',
    })
  }
  return ask('Password for becoming another user: ', { hidden: true })
}
