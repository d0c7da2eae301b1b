import { describe, expect, it } from 'vitest'
import { sealWith } from '../../engine/sealed.ts'
import { Failure } from '../../errors/failure.ts'

const seal = sealWith(Buffer.alloc(32, 7))
const other = sealWith(Buffer.alloc(32, 8))
const value = { type: 'file', content: { text: 'requirepass correct-horse\n' }, mode: '0600', size: 0, none: null }

describe('sealWith', () => {
  it('opens what it sealed', () => {
    for (const each of [value, 'text', '', 0, null, true, [1, [2]], {}, { ü: '\0\u2028' }, 'x'.repeat(1 << 20)]) {
      expect(seal.open(seal.seal(each))).toEqual(each)
    }
  })

  it('seals equal values equally, whatever the order of their fields, and others otherwise', () => {
    const turned = { none: null, size: 0, mode: '0600', content: { text: 'requirepass correct-horse\n' }, type: 'file' }
    expect(seal.seal(turned)).toBe(seal.seal(value))
    expect(seal.seal([1, 2])).not.toBe(seal.seal([2, 1]))
    expect(new Set(['', '0', 0, null, false, [], {}].map((each) => seal.seal(each))).size).toBe(7)
    expect(seal.seal({ ...value, size: 1 })).not.toBe(seal.seal(value))
  })

  it('tells nothing of the value', () => {
    const text = seal.seal(value)
    expect(text).toMatch(/^sealed:[\w-]+$/)
    expect(Buffer.from(text.slice(7), 'base64url').toString('latin1')).not.toMatch(/correct|horse|requirepass|mode/)
  })

  it('is of the key', () => {
    expect(other.seal(value)).not.toBe(seal.seal(value))
    expect(() => other.open(seal.seal(value))).toThrow(Failure)
    expect(() => sealWith(Buffer.alloc(16))).toThrow(RangeError)
  })

  it('opens nothing that was changed at any byte, cut, or is no sealed text', () => {
    const text = seal.seal('correct-horse')
    const bytes = Buffer.from(text.slice(7), 'base64url')
    for (const at of bytes.keys()) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      expect(() => seal.open(`sealed:${changed.toString('base64url')}`), `byte ${at}`).toThrow(Failure)
    }
    for (const wrong of ['', 'sealed:', text.slice(7), text.slice(0, -4), 'correct-horse']) {
      expect(() => seal.open(wrong)).toThrow(expect.objectContaining({ code: 'E_SEALED' }))
    }
  })

  it('refuses what JSON cannot tell', () => {
    expect(() => seal.seal(undefined)).toThrow(TypeError)
    expect(() => seal.seal(Symbol('x'))).toThrow(TypeError)
  })

  it('has a digest for people: of the value and the key, and not of the value alone', () => {
    expect(seal.digestOf(value)).toMatch(/^[0-9a-f]{8}$/)
    expect(seal.digestOf({ ...value })).toBe(seal.digestOf(value))
    expect(seal.digestOf('a')).not.toBe(seal.digestOf('b'))
    expect(other.digestOf(value)).not.toBe(seal.digestOf(value))
  })
})
