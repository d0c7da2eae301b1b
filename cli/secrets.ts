/** The values of a play's secrets: fetched side by side, once a run, before any connection. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { InventoryHost } from '../dsl/inventory.ts'
import { Failure, type FailureOptions, Mistakes } from '../errors/failure.ts'
import { nearest } from '../errors/suggest.ts'
import { tail } from '../probe/probe.ts'
import { quote } from '../shell/quote.ts'
import {
  type DeclaredSecret,
  endStandIns,
  resolveSecret,
  type SecretSource,
  shortestSecret,
  unresolvedSecrets,
} from '../shell/secret.ts'
import { simulated } from './connect.ts'

/** Milliseconds that a command may take: it may ask a person for a fingerprint. */
const commandDeadline = 120_000

/** Bytes of a secret: a key is smaller, and more could not be looked for in all that is told. */
const largestSecret = 64 * 1024

/**
 * Fetches the values of all secrets that were said so far; a fleet that is simulated needs none.
 *
 * @throws Mistakes E_SECRET, all of them at once
 */
export async function fetchSecrets(hosts: readonly InventoryHost[]): Promise<void> {
  if (hosts.every(simulated)) return
  const waiting = unresolvedSecrets()
  const failures = await Promise.all(waiting.map(fetchSecret))
  const wrong = failures.filter((failure) => failure !== undefined)
  if (wrong.length > 0) throw new Mistakes(wrong)
  endStandIns()
  // What is started from here on has no part in them: ssh, docker, and the shell of a host that is this machine.
  for (const { source } of waiting) if (source.kind === 'env') delete process.env[source.variable]
}

async function fetchSecret({ secret, name, source, said }: DeclaredSecret): Promise<Failure | undefined> {
  try {
    resolveSecret(secret, usable(await valueOf(source)))
    return undefined
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { message, hint, seen, cause } = error
    return new Failure(error.code, `${name}: ${message}`, { place: said.place, hint, seen, cause })
  }
}

async function valueOf(source: SecretSource): Promise<Uint8Array> {
  switch (source.kind) {
    case 'env':
      return variable(source.variable)
    case 'file':
      return withoutEnd(await decrypted(source.path))
    case 'command':
      return withoutEnd(await written(source.words))
    case 'text':
      throw new Error('a text has the values of its secrets')
  }
}

function variable(name: string): Uint8Array {
  const value = process.env[name]
  if (value) return Buffer.from(value)
  const close = nearest(name, Object.keys(process.env))
  throw wrong(value === '' ? `${name} is empty.` : `There is no environment variable ${name}.`, {
    hint: close ? `Did you mean ${close}?` : `Set it where play is started, by whatever keeps it.`,
  })
}

async function decrypted(path: string): Promise<Uint8Array> {
  const file = await bytesOf(path)
  if (!file) throw wrong(`There is no file ${path}.`)
  const [{ armor, Decrypter, identityToRecipient }, { from, identities }] = await Promise.all([
    import('age-encryption'),
    (found ??= findIdentities()),
  ])
  const decrypter = new Decrypter()
  let recipients: readonly string[]
  try {
    for (const identity of identities) decrypter.addIdentity(identity)
    recipients = await Promise.all(identities.map((identity) => identityToRecipient(identity)))
  } catch (cause) {
    throw wrong(`An age identity of ${from} is not whole.`, { cause })
  }
  const text = file.toString('latin1')
  try {
    return await decrypter.decrypt(text.startsWith('-----BEGIN AGE') ? armor.decode(text) : file)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw wrong(`${path} could not be decrypted by ${from}: ${why}.`, {
      hint: `Encrypt it for this identity: age -r ${recipients[0]} -o ${quote(path)}`,
      cause,
    })
  }
}

interface Identities {
  /** What a reader is told that they come from. */
  readonly from: string
  readonly identities: readonly string[]
}

let found: Promise<Identities> | undefined

/** The identity or the file that a variable names, or the first file of the two where people have theirs. */
async function findIdentities(): Promise<Identities> {
  const given = process.env.FLEETPLAY_AGE_IDENTITY
  if (given?.startsWith('AGE-SECRET-KEY-')) return { from: '$FLEETPLAY_AGE_IDENTITY', identities: [given.trim()] }
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), '.config')
  const usual = [join(config, 'fleetplay/age-identity.txt'), join(config, 'sops/age/keys.txt')]
  for (const path of given ? [given] : usual) {
    const file = await bytesOf(path)
    if (file) return { from: path, identities: identitiesIn(file.toString(), path) }
  }
  throw wrong(`There is no age identity to decrypt it with: ${(given ? [given] : usual).join(', ')}.`, {
    hint: `Make one: age-keygen -o ${usual[0]}; or let $FLEETPLAY_AGE_IDENTITY name the file that you have.`,
  })
}

function identitiesIn(text: string, path: string): readonly string[] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (lines.length > 0 && lines.every((line) => line.startsWith('AGE-SECRET-KEY-'))) return lines
  throw wrong(`${path} is no file of age identities.`, {
    hint: 'Each of its lines is an identity, AGE-SECRET-KEY-1…, as age-keygen writes it. SSH keys, plugins and files with a passphrase are not taken.',
  })
}

async function bytesOf(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw wrong(`${path} cannot be read: ${(cause as Error).message}.`, { cause })
  }
}

async function written(words: readonly string[]): Promise<Uint8Array> {
  const [program = '', ...rest] = words
  const options = { encoding: 'buffer', timeout: commandDeadline, maxBuffer: 1024 * 1024 } as const
  return new Promise((resolve, reject) => {
    const child = execFile(program, rest, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      const { code, killed } = error
      if (code === 'ENOENT') return reject(wrong(`There is no program ${program} here.`))
      const why = killed ? `took longer than ${commandDeadline / 1000} s, and was ended` : 'failed'
      const status = typeof code === 'number' ? code : undefined
      // What it wrote to standard output may be the secret, or a part of it.
      const seen = { command: words.map(quote).join(' '), status, output: tail(stderr.toString()) }
      return reject(wrong(`${program} ${why}.`, { seen }))
    })
    child.stdin?.end()
  })
}

function withoutEnd(bytes: Uint8Array): Uint8Array {
  const length = bytes.at(-1) !== 10 ? bytes.length : bytes.at(-2) === 13 ? bytes.length - 2 : bytes.length - 1
  return bytes.subarray(0, length)
}

/** A value that a module can place, and that can be found again in all that is told. */
function usable(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const value = buffer.toString()
  if (buffer.length > largestSecret) throw wrong(`It has more than ${largestSecret / 1024} KiB.`)
  if (!Buffer.from(value).equals(buffer) || value.includes('\0')) {
    throw wrong('It is no text of UTF-8.', { hint: 'Keep bytes in base64, and let the host decode them.' })
  }
  if (value.trim().length < shortestSecret) {
    throw wrong(`It has fewer than ${shortestSecret} characters.`, {
      hint: 'Make it longer: a short one cannot be told from other words, so that it could not be covered where it is told.',
    })
  }
  return value
}

function wrong(message: string, options: FailureOptions = {}): Failure {
  return new Failure('E_SECRET', message, options)
}
