/** A lab host as one sees it from outside: by the OpenSSH client alone, over one standing connection. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Lab, type LabHost, labHosts } from '../lab/hosts.ts'

export class Machine {
  readonly name: string
  readonly host: LabHost
  readonly lab: Lab<string>
  readonly #folder = mkdtempSync(join(tmpdir(), 'fleetplay-faults-'))

  private constructor(lab: Lab<string>, host: LabHost) {
    this.lab = lab
    this.host = host
    this.name = host.name
  }

  static async boot(name: string, memory?: string): Promise<Machine> {
    const lab = await labHosts('sid', [name], { memory })
    const machine = new Machine(lab, lab.hosts[name]!)
    await machine.#connect()
    return machine
  }

  /** What a command prints; throws where it fails. */
  async on(command: string, input = ''): Promise<string> {
    const child = spawn('ssh', [...this.#words, this.name, command])
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const [status] = (await once(child, 'close')) as [number]
    if (status !== 0) throw new Error(`${this.name}: ${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout.trim()
  }

  async powerCut(): Promise<void> {
    this.#disconnect()
    await this.host.powerCut()
  }

  async up(): Promise<void> {
    await this.host.up()
    await this.#connect()
  }

  async close(): Promise<void> {
    this.#disconnect()
    rmSync(this.#folder, { recursive: true, force: true })
    await this.lab.close()
  }

  get #words(): readonly string[] {
    return ['-F', this.lab.sshConfig, '-o', `ControlPath=${join(this.#folder, 'ssh')}`]
  }

  /** Without it each command would cost a login of 0.3 s. */
  async #connect(): Promise<void> {
    const master = spawn('ssh', [...this.#words, '-MNf', this.name], { stdio: 'ignore' })
    const [status] = (await once(master, 'exit')) as [number]
    if (status !== 0) throw new Error(`${this.name} cannot be logged in to: ssh ended with ${status}`)
  }

  #disconnect(): void {
    spawnSync('ssh', [...this.#words, '-O', 'exit', this.name], { stdio: 'ignore' })
  }
}
