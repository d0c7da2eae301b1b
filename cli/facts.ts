/** `play facts`: what is known of a host before any question of a play. */

import { failureData } from '../engine/tell.ts'
import { Failure } from '../errors/failure.ts'
import type { Facts } from '../probe/facts.ts'
import { failureOn } from '../report/failure.ts'
import { harmless, pad } from '../report/layout.ts'
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
        return { host: each.name, facts: await host.facts(undefined) }
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

function factsOn(page: Page, { os, memory, ...others }: Facts): void {
  const rows = {
    ...Object.fromEntries(Object.entries(os).map(([name, value]) => [`os.${name}`, value])),
    memory: `${(memory / 1024 ** 3).toFixed(1)} GiB`,
    ...others,
  }
  for (const [name, value] of Object.entries(rows)) {
    const text = value === undefined ? page.paint.faint('none') : harmless(String(value))
    page.line(`  ${page.paint.faint(pad(name, 18))}${text}`)
  }
}
