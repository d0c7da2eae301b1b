/** `play trust HOST`: shows the keys of a host, and writes them into known_hosts where a person says so. */

import {
  fingerprint,
  judgeHostKey,
  keyType,
  knownKeyTypes,
  readKnownHosts,
  trustHostKeys,
} from '../connection/known-hosts.ts'
import { Failure, Mistakes } from '../errors/failure.ts'
import { paint } from '../report/paint.ts'
import { connector } from './connect.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import type { InventoryOptions } from './options.ts'
import { chosenHosts, prepareInventory } from './prepare.ts'
import { ask, out, pageOptions } from './terminal.ts'

export interface TrustOptions extends InventoryOptions {
  /** Asks nothing. */
  readonly yes?: boolean
}

/**
 * @throws Mistakes for a host that has no key
 * @throws Failure E_HOST_KEY_CHANGED, E_HOST_KEY_REVOKED, E_CONNECT
 */
export async function trust(pattern: string, options: TrustOptions): Promise<ExitStatus> {
  const inventory = await prepareInventory(options)
  const hosts = chosenHosts(pattern, inventory)
  const keyless = hosts.filter(({ carrier }) => carrier !== 'ssh')
  if (keyless.length > 0) {
    throw new Mistakes(
      keyless.map(
        ({ name }) =>
          new Failure('E_OPTION', `${name} is not reached by ssh of our own: it has no key that we verify.`, {
            hint: 'Name a host without a carrier, or choose another inventory with -i.',
          }),
      ),
    )
  }
  if (!options.yes && !process.stdin.isTTY) {
    throw new Mistakes([
      new Failure('E_OPTION', 'There is no terminal to ask on.', { hint: 'Say --yes, where you know the keys.' }),
    ])
  }
  const connect = await connector({ connection: {}, inventory: inventory.name, keep: false })
  const { strong, faint, good, changed } = paint(pageOptions().color)
  const { fetchHostKeys } = await import('../connection/ssh.ts')
  let left = false
  for (const host of hosts) {
    const target = await connect.target(host)
    const name = { name: target.name, host: target.host, port: target.port, alias: target.hostKeyAlias }
    if (!target.trustFile) {
      throw new Failure('E_OPTION', `ssh_config keeps no known_hosts file for ${host.name}.`, {
        hint: 'Set UserKnownHostsFile.',
      })
    }
    const [keys, known] = await Promise.all([fetchHostKeys(target), readKnownHosts(target.knownHostsFiles)])
    const verdicts = keys.map((key) => ({ key, verdict: judgeHostKey(known, name, key) }))
    const types = knownKeyTypes(known, name)
    const isKnown = verdicts.some(({ verdict }) => verdict === undefined)
    for (const { key, verdict } of verdicts) {
      if (!verdict || verdict.code === 'E_HOST_KEY_UNKNOWN') continue
      // Another type of key beside one that is known is news, and no contradiction.
      const beside = verdict.code === 'E_HOST_KEY_CHANGED' && isKnown && !types.includes(keyType(key) ?? '')
      if (!beside) throw verdict
    }
    out(`${strong(host.name)}  ${faint(`${target.host} port ${target.port}`)}\n`)
    for (const { key, verdict } of verdicts) {
      out(`  ${(keyType(key) ?? '').padEnd(20)} ${fingerprint(key)}  ${verdict ? changed('new') : good('known')}\n`)
    }
    const fresh = verdicts.flatMap(({ key, verdict }) => (verdict ? [key] : []))
    if (fresh.length === 0) continue
    if (!options.yes)
      out(faint('  Compare them with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub\n'))
    const answer = options.yes ? 'yes' : await ask('  Are these its keys? [y/N] ')
    if (/^y(es)?$/i.test(answer.trim())) {
      const added = await trustHostKeys(target.trustFile, name, fresh, target.hashKnownHosts)
      out(`  ${good(`${added} written to ${target.trustFile}`)}\n`)
    } else {
      out('  nothing was written\n')
      left = true
    }
  }
  return left ? exitStatus.unreachable : exitStatus.fine
}
