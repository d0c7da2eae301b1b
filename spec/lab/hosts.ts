/** Lab hosts for suites: real Debian hosts that start with a suite and end with it. See docs/lab.md. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./lab', import.meta.url))
const folder = process.env.LAB ?? '/var/tmp/fleetplay-lab-project'

/** What the hosts of both images know. */
export const accounts = {
  /** `sudo` asks for the password; `su` asks for that of root. */
  deploy: { user: 'deploy', password: 'lab-password' },
  /** `sudo` and `doas` ask for nothing. */
  ops: { user: 'ops' },
  root: { user: 'root', password: 'lab-root-password' },
} as const

/** `sid`: MySQL, nginx with early_hints, systemd 262. `bookworm`: Debian 12, MariaDB, nginx 1.22, systemd 252. */
export type Image = 'sid' | 'bookworm'

export interface LabOptions {
  /** Memory of each host, as the kernel reads it; 384M without it, and a database wants 768M. */
  readonly memory?: string | undefined
}

/** How a command ended on a host; `status` is ssh's 255 where the host was not reached. */
export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface LabHost {
  readonly name: string
  readonly address: string
  /** Runs a command line by the OpenSSH client, as root where no other user is named; standard input is `input` or empty. */
  ssh(command: string, options?: { readonly user?: string; readonly input?: string }): Promise<Ended>
  /** Ends the host at once, as if its plug were pulled; its disk stays. */
  powerCut(): Promise<void>
  /** Boots it again, and waits until systemd has no job left. */
  up(): Promise<void>
}

export interface Lab<Name extends string> {
  readonly hosts: Readonly<Record<Name, LabHost>>
  /** Private key that root, deploy and ops of every host accept. */
  readonly key: string
  /** The hosts' keys by name and address, written before they booted. */
  readonly knownHosts: string
  /** For `ssh -F`: names, key and known hosts. */
  readonly sshConfig: string
  /** Takes the hosts down, and their disks with them. */
  close(): Promise<void>
}

/**
 * Boots hosts with fresh disks, from an image that is built first where it is missing.
 *
 * A name that the lab has already is an error. Hosts of a process that ended without
 * `close` are taken down by whatever uses the lab next.
 *
 * @example
 * const lab = await labHosts('sid', ['web1', 'db1'], { memory: '768M' })
 * afterAll(() => lab.close())
 * await lab.hosts.web1.ssh('nginx -v')
 */
export async function labHosts<const Name extends string>(
  image: Image,
  names: readonly Name[],
  options: LabOptions = {},
): Promise<Lab<Name>> {
  refuseOtherMachines()
  const memory: Record<string, string> = options.memory === undefined ? {} : { MEM: options.memory }
  const boot = async (which: readonly string[]) => await lab(['up', image, ...which], memory)
  const close = async () => void (await lab(['down', ...names]))
  await lab(['build', image])
  const existing = (await lab(['list'])).split('\n').map((line) => line.split(' ')[0])
  const doubles = names.filter((name) => existing.includes(name))
  if (doubles.length > 0) {
    throw new Error(
      `the lab has ${doubles.join(' and ')} already: take another name, or ${program} down ${doubles.join(' ')}`,
    )
  }
  const booted = await boot(names).catch(async (error: unknown) => {
    await close()
    throw error
  })
  const hosts = Object.fromEntries(
    booted.split('\n').map((line): [string, LabHost] => {
      const [name = '', address = ''] = line.split(' ')
      const host: LabHost = {
        name,
        address,
        ssh: async (command, { user = 'root', input = '' } = {}) =>
          await run('ssh', ['-F', paths.sshConfig, '-l', user, name, command], input),
        powerCut: async () => void (await lab(['kill', name])),
        up: async () => void (await boot([name])),
      }
      return [name, host]
    }),
  ) as Record<Name, LabHost>
  return { hosts, ...paths, close }
}

const paths = {
  key: join(folder, 'key'),
  knownHosts: join(folder, 'known_hosts'),
  sshConfig: join(folder, 'ssh_config'),
}

/** Throws, with what to do, where this machine cannot run the lab. */
export function refuseOtherMachines(): void {
  if (process.platform !== 'linux') {
    throw new Error(`The lab suite needs Linux, and this is ${process.platform}: run it in a Debian virtual machine.`)
  }
  if (process.getuid?.() !== 0) {
    throw new Error('The lab suite needs root, to boot hosts and give them a network: sudo npm run test:lab')
  }
}

/** Runs `spec/lab/lab` and gives what it printed; throws with its own words where it fails. Hosts belong to this test run. */
export async function lab(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const ended = await run(program, words, '', { OWNER: process.env.OWNER ?? String(process.pid), ...environment })
  if (ended.status !== 0) throw new Error(`lab ${words.join(' ')} ended with ${ended.status}:\n${ended.stderr}`)
  return ended.stdout.trim()
}

/** Runs a program here, and waits for its end. */
async function run(
  file: string,
  words: readonly string[],
  input: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return await new Promise((resolve, reject) => {
    const child = spawn(file, words, { env: { ...process.env, ...environment } })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (data: Buffer) => stdout.push(data))
    child.stderr.on('data', (data: Buffer) => stderr.push(data))
    child.stdin.on('error', () => {}) // a command that ends without reading its input is no mistake
    child.on('error', reject)
    child.on('close', (status, signal) => {
      if (status === null) reject(new Error(`${file} ${words.join(' ')} was ended by ${signal}`))
      else resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() })
    })
    child.stdin.end(input)
  })
}
