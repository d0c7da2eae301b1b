/** Values kept where others may read them: encrypted and authenticated, equal values as equal texts. */

import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { Failure } from '../errors/failure.ts'

/** Seals values by a key, opens them again, and tells people which are equal. */
export interface Seal {
  /** The value as `sealed:<base64url>`. Equal values, however their fields are ordered, have equal texts. */
  seal(value: unknown): string
  /**
   * The value again.
   *
   * @throws Failure E_SEALED where it was sealed by another key, or is not as it was sealed
   */
  open(text: string): unknown
  /** A keyed digest of 64 hexadecimal digits: equal where the values are, and telling nothing else of them. */
  fingerprint(value: unknown): string
  /** Eight hexadecimal digits by which a reader sees whether two values are equal, and nothing else of them. */
  digestOf(value: unknown): string
}

const prefix = 'sealed:'
const nonceLength = 12
const tagLength = 16

/** What is before the key's own use: two uses of one key never meet. */
const uses = ['encrypt', 'nonce', 'digest'] as const

/**
 * A seal by a key of 32 bytes or more: AES-256-GCM, whose nonce is the HMAC of what is sealed. So equal values have equal
 * texts, which tells a reader that they are equal and nothing else; and a nonce is never used for two values.
 *
 * @example
 * const seal = sealWith(key)
 * seal.open(seal.seal({ type: 'absent' })) // { type: 'absent' }
 */
export function sealWith(key: Uint8Array): Seal {
  if (key.length < 32) throw new RangeError(`a key has 32 bytes or more, not ${key.length}`)
  const [encrypting, nonceOf, digesting] = uses.map((use) =>
    Buffer.from(hkdfSync('sha256', key, '', `play ${use}`, 32)),
  )
  const keyed = (by: Buffer, text: string) => createHmac('sha256', by).update(text).digest()
  return {
    seal(value) {
      const text = canonical(value)
      const nonce = keyed(nonceOf!, text).subarray(0, nonceLength)
      const cipher = createCipheriv('aes-256-gcm', encrypting!, nonce)
      const bytes = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return prefix + Buffer.concat(bytes).toString('base64url')
    },
    open(text) {
      const bytes = Buffer.from(text.startsWith(prefix) ? text.slice(prefix.length) : '', 'base64url')
      try {
        if (bytes.length < nonceLength + tagLength) throw new RangeError('it is too short')
        const decipher = createDecipheriv('aes-256-gcm', encrypting!, bytes.subarray(0, nonceLength))
        decipher.setAuthTag(bytes.subarray(-tagLength))
        const plain = Buffer.concat([decipher.update(bytes.subarray(nonceLength, -tagLength)), decipher.final()])
        return JSON.parse(plain.toString()) as unknown
      } catch (cause) {
        throw new Failure('E_SEALED', 'A sealed value cannot be opened.', {
          hint: 'It was sealed by another key than that of .play/key, or it was changed.',
          cause,
        })
      }
    },
    fingerprint: (value) => keyed(digesting!, canonical(value)).toString('hex'),
    digestOf: (value) => keyed(digesting!, canonical(value)).toString('hex').slice(0, 8),
  }
}

/** Values are compared by deep equality, where the order of fields means nothing. */
function canonical(value: unknown): string {
  const text = JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  ) as string | undefined
  if (text === undefined) throw new TypeError('a value to seal is one that JSON can tell')
  return text
}
