/** `play exec PATTERN -- COMMAND`: one command on many hosts, and what they answered, told once where it is the same. */

import pLimit from 'p-limit'
import type { Connection } from '../connection/connection.ts'
import type { InventoryHost } from '../dsl/inventory.ts'
import { withSecretsCovered } from '../engine/covered.ts'
import { failureData } from '../engine/tell.ts'
import { Failure, Mistakes } from '../errors/failure.ts'
import { type Answered, answersText } from '../report/answers.ts'
import { quote } from '../shell/quote.ts'
import { withoutKnownSecrets } from '../shell/secret-text.ts'
import { type Connector, connector, simulated } from './connect.ts'
import { type ExitStatus, exitStatus } from './exit.ts'
import type { ConnectionOptions, InventoryOptions } from './options.ts'
import { chosenHosts, prepareInventory } from './prepare.ts'
import { stopping } from './stop.ts'
import { out, pageOptions } from './terminal.ts'

export interface ExecOptions extends InventoryOptions, ConnectionOptions {
  readonly forks: number
  /** As root. */
  readonly become?: boolean
  readonly becomeUser?: string
  /** Seconds. */
  readonly timeout: number
}

/**
 * @param words the command: one word is read by the host's shell as it stands (`'ps aux | wc -l'`), several are its words
 * @throws Mistakes before any connection
 */
export async function exec(pattern: string, words: readonly string[], options: ExecOptions): Promise<ExitStatus> {
  const inventory = await prepareInventory(options)
  const hosts = chosenHosts(pattern, inventory)
  const unreal = hosts.filter(simulated)
  if (unreal.length > 0) {
    const names = unreal.map(({ name }) => name).join(', ')
    const hint = 'Choose an inventory of real hosts with -i.'
    throw new Mistakes([
      new Failure('E_OPTION', `Simulated hosts have no shell to run a command in: ${names}.`, { hint }),
    ])
  }
  const script = words.length === 1 ? words[0]! : words.map(quote).join(' ')
  const connect = await connector({ connection: options, inventory: inventory.name, keep: false })
  const limit = pLimit(options.forks)
  const stop = stopping({ first: () => limit.clearQueue(), second: () => {} })
  const answers = await Promise.all(hosts.map((host) => limit(() => answerOf(host, script, connect, options))))
  stop.forget()
  out(answersText(answers.map(withKnownCovered), pageOptions()))
  if (stop.asked()) return exitStatus.interrupted
  if (answers.some((answer) => !answer.failure && answer.status !== 0)) return exitStatus.failed
  return answers.some(({ failure }) => failure) ? exitStatus.unreachable : exitStatus.fine
}

/** Who asks for a file sees what is in it, but for the secrets that play was given: the password to become root. */
function withKnownCovered(answer: Answered): Answered {
  if (answer.failure) return { ...answer, failure: withSecretsCovered(answer.failure) }
  return { ...answer, stdout: withoutKnownSecrets(answer.stdout), stderr: withoutKnownSecrets(answer.stderr) }
}

async function answerOf(
  host: InventoryHost,
  script: string,
  connect: Connector,
  { become, becomeUser, timeout }: ExecOptions,
): Promise<Answered> {
  let connection: Connection | undefined
  try {
    connection = await connect.connection(host)
    const user = becomeUser ?? (become ? 'root' : undefined)
    const session = await connection.open({
      become: user === undefined ? undefined : { method: host.become, user, password: connect.becomePassword },
    })
    const [answer] = await session.run([{ script, deadline: timeout }])
    const { status, stdout, stderr } = answer!
    return { host: host.name, status, stdout: stdout.toString(), stderr: stderr.toString() }
  } catch (error) {
    if (error instanceof Failure) return { host: host.name, failure: failureData(error) }
    throw error
  } finally {
    await connection?.close()
  }
}
