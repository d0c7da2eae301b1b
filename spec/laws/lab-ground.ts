/** The ground for the laws on a real host, which must be one of the lab. */

import { RemoteHost } from '../../engine/remote-host.ts'
import type { Host } from '../../engine/host.ts'
import { Probe } from '../../probe/probe.ts'
import { lines, type Script, sh } from '../../shell/script.ts'
import type { Connection } from '../../connection/connection.ts'
import { sshResolver } from '../../connection/ssh-config.ts'
import { connectSsh } from '../../connection/ssh.ts'
import type { Resource } from '../../dsl/resource.ts'
import { canary } from '../../testing/quoted.ts'
import type { Ground, Snapshot } from '../../testing/laws.ts'
import type { Lab, LabHost } from '../lab/hosts.ts'
import { runScript } from './remote-ground.ts'

/** What tells a host of the lab from a machine that somebody needs. */
const marker = '/etc/fleetplay-lab'

/** A host of the lab, over ssh, as root. */
export async function connectLab(lab: Lab<string>, { name, address }: LabHost): Promise<Connection> {
  const login = { name, host: address, user: 'root', privateKey: lab.key, knownHosts: lab.knownHosts }
  return connectSsh(await sshResolver().resolve(login))
}

export class LabGround implements Ground {
  readonly host: Host
  readonly root = `/srv/it's; touch ${canary} #$(touch ${canary})\n-rf *`
  readonly #prepared = new Set<string>()

  private constructor(host: Host) {
    this.host = host
  }

  /** Refuses every host that is not of the lab, before anything of it is changed. */
  static async on(name: string, connect: () => Promise<Connection>): Promise<LabGround> {
    const host = new RemoteHost(name, connect, { become: 'sudo', becomePassword: undefined })
    const refusal = `${name} has no ${marker}, so it is no host of the lab: no law is tried on it, since laws change hosts`
    await runScript(host, sh`[ -e ${marker} ] || { echo ${refusal} >&2; exit 1; }`)
    return new LabGround(host)
  }

  readonly before: Ground['before'] = async ({ prepare, before }) => {
    const preparation = prepare && `${prepare.text}\n${String(prepare.input)}`
    if (preparation !== undefined && !this.#prepared.has(preparation)) {
      await runScript(this.host, prepare!)
      this.#prepared.add(preparation)
    }
    await runScript(this.host, sh`rm -rf -- ${this.root} && mkdir -- ${this.root}`)
    if (before) await runScript(this.host, before(this.root))
  }

  readonly snapshot: Ground['snapshot'] = async (of) => {
    const files = lookAt(of === 'state' ? [this.root] : [this.root, ...folders])
    const script = of === 'state' ? files : lines(files, lookAtUnits)
    return parse(await answer(this.host, script), this.root)
  }

  /** Where a script left a file, because it took a word for several. */
  async canaries(): Promise<readonly string[]> {
    const found = await answer(
      this.host,
      sh`find / -xdev -name ${canary} -print; find /run /tmp -name ${canary} -print`,
    )
    return found.split('\n').filter(Boolean)
  }
}

/** Folders in which anybody would notice a change. */
const folders = ['/etc', '/usr/local', '/var/spool/cron', '/srv']

/** Of each file its name, what it is, and what a write of the same would leave; all end with a NUL byte. */
function lookAt(paths: readonly string[]): Script {
  return sh`find ${paths} -xdev -path /etc/.pwd.lock -prune -o -printf '%p\0%y %m %u:%g %l\0%s %i %T@ %C@\0'`
}

/** Those of systemd itself, and those of logins, come and go. */
const lookAtUnits = sh`systemctl list-units --all --plain --no-legend --type=service,socket | while read -r unit load active sub _; do
  case $unit in user@* | user-runtime-dir@* | systemd-*) ;; *) printf '%s\0\0%s\0' "$unit" "$load $active $sub" ;; esac
done`

function parse(text: string, root: string): Snapshot {
  const parts = text.split('\0')
  const entries = Array.from({ length: (parts.length - 1) / 3 }, (_, i) => parts.slice(3 * i, 3 * i + 3))
  return new Map(
    entries.map(([name = '', state = '', trace = '']) => {
      return [name, { trace: `${state} ${trace}`, ...(name.startsWith(root) && { state }) }]
    }),
  )
}

/** What a script that only looks prints. */
async function answer(host: Host, script: Script): Promise<string> {
  const resource: Resource<unknown> = {
    key: 'looked-at:',
    read: Probe.script(script, ({ stdout }) => stdout.toString()),
  }
  const [result] = await host.read([resource], undefined)
  if (!result || 'failure' in result) throw result?.failure ?? new Error('no answer')
  return result.value as string
}
