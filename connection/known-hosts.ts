/** known_hosts: which keys a host may show, and how a new one is trusted. See sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Failure } from '../errors/failure.ts'
import { quote } from '../shell/quote.ts'

export interface KnownHost {
  readonly marker: 'revoked' | 'cert-authority' | undefined
  /** The first field as it stands: patterns with commas between, or `|1|salt|hash`. */
  readonly hosts: string
  readonly key: Buffer
  readonly file: string
  readonly line: number
}

/** The names under which a host is looked up. */
export interface HostName {
  /** How a person calls it; goes into `play trust NAME`. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** `HostKeyAlias` of ssh_config: looked up as it is, without a port. */
  readonly alias?: string | undefined
  /** `StrictHostKeyChecking` of ssh_config where it asks for less than we do. */
  readonly laxity?: string | undefined
}

/** What a person does where only the OpenSSH client can go on. */
export function useOpenSsh(name: string): string {
  return `Reach it through the OpenSSH client instead: in the inventory, carrier: { exec: ['ssh', '${name}'] } for this host.`
}

/** Reads known_hosts files; those that do not exist have no lines. */
export async function readKnownHosts(files: readonly string[]): Promise<readonly KnownHost[]> {
  const texts = await Promise.all(
    files.map(async (file) => {
      try {
        return parseKnownHosts(await readFile(file, 'utf8'), file)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw new Failure('E_CONNECT', `The known_hosts file ${file} could not be read: ${(error as Error).message}`, {
          hint: `Make ${file} readable for this user.`,
          cause: error,
        })
      }
    }),
  )
  return texts.flat()
}

/** Lines that are not understood are passed over, as the OpenSSH client does: they can only make fewer keys known. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  return text.split('\n').flatMap((line, index) => {
    const words = line.trim().split(/[ \t]+/)
    const mark = words[0]?.startsWith('@') ? words.shift() : undefined
    const [hosts, type, base64] = words
    if (!hosts || hosts.startsWith('#') || !type || !base64) return []
    if (mark && mark !== '@revoked' && mark !== '@cert-authority') return []
    const key = Buffer.from(base64, 'base64')
    if (keyType(key) !== type) return []
    return [{ marker: mark?.slice(1) as KnownHost['marker'], hosts, key, file, line: index + 1 }]
  })
}

/**
 * Judges the key that a host showed.
 *
 * @returns the failure with which it must be refused, or undefined where it is known
 */
export function judgeHostKey(known: readonly KnownHost[], host: HostName, key: Buffer): Failure | undefined {
  const shown = `${keyType(key)} ${fingerprint(key)}`
  const [name, ...others] = lookUpNames(host)
  const own = known.filter((entry) => namesHost(entry.hosts, name!))
  // A key that is listed for the host without its port is good too: ssh falls back to it when nothing names the port.
  const portless = known.filter((entry) => others.some((other) => namesHost(entry.hosts, other)))
  const same = (entry: KnownHost) => entry.key.equals(key)
  const revoked = [...own, ...portless].find((entry) => entry.marker === 'revoked' && same(entry))
  if (revoked)
    return new Failure(
      'E_HOST_KEY_REVOKED',
      `${host.name} showed the key ${shown}, which ${at(revoked)} has revoked.`,
      {
        hint: 'Do not connect until the host has a new key; then trust that one.',
      },
    )
  const plain = own.filter((entry) => !entry.marker)
  if (plain.some(same)) return undefined
  if (plain.length === 0 && portless.some((entry) => !entry.marker && same(entry))) return undefined
  if (plain.length > 0)
    return new Failure(
      'E_HOST_KEY_CHANGED',
      `${host.name} showed the key ${shown}, but known_hosts has ${plain.map((entry) => `${keyType(entry.key)} ${fingerprint(entry.key)} (${at(entry)})`).join(', ')}.`,
      {
        hint: `Somebody may stand between. If the host was rebuilt: ssh-keygen -R ${quote(name!)} -f ${quote(plain[0]!.file)}, then play trust ${host.name}`,
      },
    )
  const authority = own.find((entry) => entry.marker === 'cert-authority')
  if (authority)
    return new Failure(
      'E_HOST_KEY_UNKNOWN',
      `${host.name} showed the key ${shown}; ${at(authority)} trusts a certificate authority for it, and host certificates can be checked by the OpenSSH client only.`,
      { hint: useOpenSsh(host.name) },
    )
  const lax = host.laxity ? ` (StrictHostKeyChecking ${host.laxity} is not followed: keys are always verified.)` : ''
  return new Failure('E_HOST_KEY_UNKNOWN', `${host.name} showed the key ${shown}, which no known_hosts file has.`, {
    hint: `Compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub there), then: play trust ${host.name}${lax}`,
  })
}

/** Types of the keys that are known for a host, in the order of the files: the host is asked for these first. */
export function knownKeyTypes(known: readonly KnownHost[], host: HostName): readonly string[] {
  const names = lookUpNames(host)
  const entries = known.filter((entry) => !entry.marker && names.some((name) => namesHost(entry.hosts, name)))
  return [...new Set(entries.map((entry) => keyType(entry.key)!))]
}

/**
 * Adds keys of a host to a known_hosts file, and makes the file (0600) and its folder (0700) where they are missing.
 * Keys that it has for the host are not added again.
 *
 * @param hashed hides the host's name, as `HashKnownHosts yes` asks
 * @returns how many keys were added
 */
export async function trustHostKeys(
  file: string,
  host: HostName,
  keys: readonly Buffer[],
  hashed: boolean,
): Promise<number> {
  const [name] = lookUpNames(host)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const had = parseKnownHosts(text, file).filter((entry) => !entry.marker && namesHost(entry.hosts, name!))
  const added = keys.filter((key) => !had.some((entry) => entry.key.equals(key)))
  const lines = added.map((key) => `${hashed ? hashName(name!) : name} ${keyType(key)} ${key.toString('base64')}\n`)
  const start = text === '' || text.endsWith('\n') ? '' : '\n'
  // One write in append mode: two that trust at once cannot tear each other's lines.
  if (added.length > 0) await appendFile(file, start + lines.join(''), { mode: 0o600 })
  return added.length
}

/** As `ssh-keygen -lf` prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The algorithm that the key itself names; undefined where the bytes are no key. */
export function keyType(key: Buffer): string | undefined {
  if (key.length < 4) return undefined
  const length = key.readUInt32BE(0)
  return length > 0 && key.length > 4 + length ? key.toString('latin1', 4, 4 + length) : undefined
}

/** Whether a list of patterns (`*`, `?`, `!` before one that must not match) or a hashed name means this name. */
export function namesHost(patterns: string, name: string): boolean {
  if (patterns.startsWith('|')) {
    const [, version, salt, hash] = patterns.split('|')
    return version === '1' && salt !== undefined && hash === hmac(Buffer.from(salt, 'base64'), name)
  }
  return matchesPatterns(patterns.toLowerCase().split(','), name)
}

/** See ssh_config(5), PATTERNS. One negated match is a no, whatever else matches. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1), text))) return false
  return patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern, text))
}

function matches(pattern: string, text: string): boolean {
  // Most lines are plain names, and there may be thousands of lines for each of thousands of hosts.
  return /[*?]/.test(pattern) ? wildcard(pattern).test(text) : pattern === text
}

function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/[.*+?^${}()|[\]\\]/g, (sign) =>
    sign === '*' ? '.*' : sign === '?' ? '.' : `\\${sign}`,
  )
  return new RegExp(`^${source}$`, 's')
}

function lookUpNames({ host, port, alias }: HostName): readonly string[] {
  if (alias) return [alias.toLowerCase()]
  const plain = host.toLowerCase()
  return port === 22 ? [plain] : [`[${plain}]:${port}`, plain]
}

function hashName(name: string): string {
  const salt = randomBytes(20)
  return `|1|${salt.toString('base64')}|${hmac(salt, name)}`
}

function hmac(salt: Buffer, name: string): string {
  return createHmac('sha1', salt).update(name).digest('base64')
}

function at(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`
}
