/** `play facts`: what a play may know of a host, those facts too that are read only where a play looks at them. */

import { factsOf, knowing } from '../engine/lazy-facts.ts'
import { failureData } from '../engine/tell.ts'
import { Failure } from '../errors/failure.ts'
import type { NetworkInterface } from '../probe/detailed-facts.ts'
import type { Facts } from '../probe/facts.ts'
import { failureOn } from '../report/failure.ts'
import { harmless, pad, width } from '../report/layout.ts'
import { Page } from '../report/page.ts'
import { connector } from './connect.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import type { ConnectionOptions, InventoryOptions, OutputOptions } from './options.ts'
import { chosenHosts, prepareInventory } from './prepare.ts'
import { out, pageOptions } from './terminal.ts'

export type FactsOptions = InventoryOptions & ConnectionOptions & OutputOptions

/** @throws Mistakes before any connection */
export async function facts(pattern: string, options: FactsOptions): Promise<ExitStatus> {
  const inventory = await prepareInventory(options)
  const hosts = chosenHosts(pattern, inventory)
  const connect = await connector({ connection: options, inventory: inventory.name, keep: false })
  const answers = await Promise.all(
    hosts.map(async (each) => {
      const host = connect.host(each)
      try {
        const facts = await factsOf(host, undefined)
        return { host: each.name, facts: await knowing(() => ({ ...facts })) }
      } catch (error) {
        if (error instanceof Failure) return { host: each.name, failure: failureData(error) }
        throw error
      } finally {
        await host.close()
      }
    }),
  )
  const page = new Page(pageOptions())
  for (const [i, answer] of answers.entries()) {
    if (options.output === 'json') {
      out(`${JSON.stringify(answer)}\n`)
      continue
    }
    if (i > 0) page.line()
    page.line(page.paint.strong(answer.host))
    if (answer.failure) failureOn(page, answer.failure, 2)
    else factsOn(page, answer.facts)
  }
  out(page.text)
  return answers.some(({ failure }) => failure) ? exitStatus.unreachable : exitStatus.fine
}

/** What belongs together stands together, by the names that a play has for it. */
function groupsOf(facts: Facts): Readonly<Record<string, Readonly<Record<string, string | undefined>>>> {
  const { os, software, interfaces, memory, processors, systemd } = facts
  return {
    host: {
      hostname: facts.hostname,
      virtualization: facts.virtualization,
      architecture: facts.architecture,
      kernel: facts.kernel,
      processors: String(processors),
      memory: `${(memory / 1024 ** 3).toFixed(1)} GiB`,
      systemd: systemd ? 'yes' : 'no',
    },
    os: prefixed('os', os),
    network: {
      defaultInterface: facts.defaultInterface,
      ...Object.fromEntries(interfaces.map((one) => [`interfaces ${one.name}`, interfaceText(one)])),
    },
    software: prefixed('software', { ...software, php: software.php.join(' ') || undefined }),
    session: { user: facts.user, group: facts.group },
  }
}

function prefixed(group: string, values: Readonly<Record<string, string | undefined>>) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${group}.${name}`, value]))
}

function interfaceText({ state, mtu, mac, addresses }: NetworkInterface): string {
  return [state, `mtu ${mtu}`, ...(mac ? [mac] : []), ...addresses].join(' · ')
}

function factsOn(page: Page, facts: Facts): void {
  const groups = Object.entries(groupsOf(facts))
  const columns = Math.max(...groups.flatMap(([, rows]) => Object.keys(rows).map((name) => width(harmless(name)))))
  for (const [group, rows] of groups) {
    page.line(`  ${group}`)
    for (const [name, value] of Object.entries(rows)) {
      const text = value === undefined ? page.paint.faint('none') : harmless(value)
      page.line(`    ${page.paint.faint(pad(harmless(name), columns + 2))}${text}`)
    }
  }
}
