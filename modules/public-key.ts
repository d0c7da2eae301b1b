/** Public keys of SSH as text: `[options] type base64 [comment]`, and what is wrong with one. */

import type { Parsed } from '../dsl/units.ts'

export interface PublicKey {
  /** What stands before the type: `from="10.0.0.0/8",no-pty`. */
  readonly options: string
  readonly type: string
  /** The key itself, base64. */
  readonly blob: string
}

/** How many length-prefixed fields each kind of key has after its type's name (RFC 4253, RFC 5656, RFC 8709, PROTOCOL.u2f). */
const fields: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ssh-dss': 4,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
}

/** A line of an authorized_keys file as a key; undefined for comments, empty lines and what is no key. */
export function readKey(line: string): PublicKey | undefined {
  let rest = line.trim()
  if (rest === '' || rest.startsWith('#')) return undefined
  let options = ''
  const [first] = rest.split(/\s/, 1)
  if (!isType(first!)) {
    // Options have no blanks but within double quotes, in which \" is a quote.
    options = /^(?:"(?:\\"|[^"])*"|[^\s"])+/.exec(rest)?.[0] ?? ''
    rest = rest.slice(options.length).trim()
  }
  const [type = '', blob = ''] = rest.split(/\s+/, 2)
  return isType(type) && blob !== '' ? { options, type, blob } : undefined
}

/** Whether two lines give access to the same key, whatever their options and comments. */
export function sameKey(a: PublicKey, b: PublicKey): boolean {
  return a.type === b.type && unpadded(a.blob) === unpadded(b.blob)
}

/**
 * The line that a play gives, without blanks around it. What is wrong with it is told without the text itself: it may be a
 * private key, or a password that was pasted in its place.
 */
export function keyLine(text: string): Parsed<string> {
  const line = text.trim()
  if (looksPrivate(line)) {
    return {
      problem:
        'this is a private key, which must not leave the machine of its owner; give the public one (the .pub file), and hold the private one for known to others',
    }
  }
  if (/[\r\n]/.test(line)) return { problem: 'one key at a time, on one line' }
  const key = readKey(line)
  if (!key) return { problem: 'not a public key such as `ssh-ed25519 AAAA… comment`' }
  const problem = blobProblem(key)
  return problem ? { problem } : line
}

function blobProblem({ type, blob }: PublicKey): string | undefined {
  const bytes = Buffer.from(blob, 'base64')
  if (unpadded(bytes.toString('base64')) !== unpadded(blob)) return `what follows ${type} is not base64`
  const parts = lengthPrefixed(bytes)
  const inside = parts?.[0]?.toString('latin1')
  if (!parts || inside === undefined) return `the ${type} key is not whole: perhaps it was cut when it was copied`
  if (inside !== type) return `it says ${type}, and holds a key of ${isType(inside) ? inside : 'another type'}`
  if (parts.length - 1 < fields[type]!) return `the ${type} key is not whole: perhaps it was cut when it was copied`
  return undefined
}

/** The strings that a blob is made of; undefined where they do not end with it. */
function lengthPrefixed(bytes: Buffer): readonly Buffer[] | undefined {
  const parts: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined
    const end = at + 4 + bytes.readUInt32BE(at)
    if (end > bytes.length) return undefined
    parts.push(bytes.subarray(at + 4, end))
    at = end
  }
  return parts
}

/** PEM and OpenSSH's own format, that format's base64 alone, and PuTTY's. */
function looksPrivate(text: string): boolean {
  return /PRIVATE KEY|PuTTY-User-Key-File|b3BlbnNzaC1rZXktdjE/.test(text)
}

function isType(word: string): boolean {
  return Object.hasOwn(fields, word)
}

function unpadded(blob: string): string {
  return blob.replace(/=+$/, '')
}
