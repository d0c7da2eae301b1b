import { describe, expect, it } from 'vitest'
import { sealWith } from '../../engine/sealed.ts'

const seal = sealWith(Buffer.alloc(32, 7))
const other = sealWith(Buffer.alloc(32, 8))
const value = { type: 'file', content: { text: 'requirepass correct-horse\n' }, mode: '0600', size: 0, none: null }

describe('sealWith', () => {
  it('tells equal values equally, whatever the order of their fields, and others otherwise', () => {
    const turned = { none: null, size: 0, mode: '0600', content: { text: 'requirepass correct-horse\n' }, type: 'file' }
    expect(seal.fingerprint(turned)).toBe(seal.fingerprint(value))
    expect(seal.fingerprint([1, 2])).not.toBe(seal.fingerprint([2, 1]))
    expect(new Set(['', '0', 0, null, false, [], {}].map((each) => seal.fingerprint(each))).size).toBe(7)
    expect(seal.fingerprint({ ...value, size: 1 })).not.toBe(seal.fingerprint(value))
  })

  it('tells nothing of the value', () => {
    expect(seal.fingerprint(value)).toMatch(/^[0-9a-f]{64}$/)
  })

  it('is of the key', () => {
    expect(other.fingerprint(value)).not.toBe(seal.fingerprint(value))
    expect(() => sealWith(Buffer.alloc(16))).toThrow(RangeError)
  })

  it('refuses what JSON cannot tell', () => {
    expect(() => seal.fingerprint(undefined)).toThrow(TypeError)
    expect(() => seal.fingerprint(Symbol('x'))).toThrow(TypeError)
  })

  it('has a digest for people: of the value and the key, and not of the value alone', () => {
    expect(seal.digestOf(value)).toMatch(/^[0-9a-f]{8}$/)
    expect(seal.digestOf({ ...value })).toBe(seal.digestOf(value))
    expect(seal.digestOf('a')).not.toBe(seal.digestOf('b'))
    expect(other.digestOf(value)).not.toBe(seal.digestOf(value))
  })
})
