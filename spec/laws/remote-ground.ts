/** Grounds for the laws behind a connection: a temporary folder in a shell of this machine. */

import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Host, Step } from '../../engine/host.ts'
import { Failure } from '../../errors/failure.ts'
import { Probe } from '../../probe/probe.ts'
import type { Script } from '../../shell/script.ts'
import type { Ground } from '../../testing/laws.ts'
import type { ShellName } from '../connection/shells.ts'
import { Real } from '../modules/real.ts'
import { canary } from '../../testing/quoted.ts'
import { shared } from './shared-host.ts'

/** Folders that no careless script survives, one for each example, on a host whose `sh` is one of the shells. */
export class Folders {
  readonly #host: Host
  readonly #real: Real

  constructor(shell: ShellName) {
    this.#real = new Real(shell)
    this.#host = shared(this.#real.host())
  }

  ground(number: number): Ground {
    const root = this.#real.path(`${number} it's; touch ${canary} #$(touch ${canary})\n-rf *`)
    return {
      host: this.#host,
      root,
      before: async ({ before }) => {
        mkdirSync(root)
        if (before) await runScript(this.#host, before(root))
      },
      snapshot: async () => new Map(tree(root)),
    }
  }

  /** Where a script left a file, because it took a word for several. */
  canaries(): readonly string[] {
    const folders = [process.cwd(), homedir(), tmpdir(), '/', this.#real.tools.path, this.#real.root]
    const inside = [...tree(this.#real.root)].map(([path]) => path)
    const all = [...folders.map((folder) => join(folder, canary)).filter((path) => existsSync(path)), ...inside]
    return all.filter((path) => basename(path) === canary)
  }

  async close(): Promise<void> {
    await this.#host.close()
    await this.#real.remove()
  }
}

/** Runs a script on a host beside the engine, and throws where it fails. */
export async function runScript(host: Host, script: Script): Promise<void> {
  const resource = { key: 'before:', read: Probe.known(undefined) }
  const step: Step = { resource, from: undefined, to: undefined, script, deadline: 120 }
  const [end] = await host.apply([step], undefined)
  if (end instanceof Failure) throw end
}

/** A folder and all that is in it: what it is, and what a write of the same would leave. */
export function tree(path: string): [string, { readonly state: string; readonly trace: string }][] {
  const stat = lstatSync(path, { bigint: true })
  const what = stat.isSymbolicLink() ? readlinkSync(path) : stat.isFile() ? digest(readFileSync(path)) : ''
  const state = `${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${what}`
  const trace = `${state} ${stat.ino} ${stat.mtimeNs} ${stat.ctimeNs}`
  const inside = stat.isDirectory() ? readdirSync(path).toSorted() : []
  return [[path, { state, trace }], ...inside.flatMap((name) => tree(join(path, name)))]
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
