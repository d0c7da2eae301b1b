/** The key of a project, by which what is secret is told apart in records without being told. */

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Failure } from '../errors/failure.ts'
import { type Seal, sealWith } from '../engine/sealed.ts'

const file = join('.play', 'key')
const length = 32

const seals = new Map<string, Seal>()

/** The seal by the key in `.play/key`, which is made when it is first needed. */
export function projectSeal(): Seal {
  const path = resolve(file)
  const seal = seals.get(path) ?? sealWith(readKey() ?? makeKey())
  seals.set(path, seal)
  return seal
}

function readKey(): Uint8Array | undefined {
  let key: Buffer
  try {
    key = readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Failure('E_OPTION', `The key of this project, ${file}, cannot be read.`, { cause: error })
  }
  if (key.length === length) return key
  throw new Failure('E_OPTION', `The key of this project, ${file}, has ${key.length} bytes, and not ${length}.`, {
    hint: `Remove it. What was recorded by it can be compared no more: plans are to be made anew.`,
  })
}

function makeKey(): Uint8Array {
  const key = randomBytes(length)
  mkdirSync(dirname(file), { recursive: true })
  try {
    writeFileSync(file, key, { mode: 0o600, flag: 'wx' })
    return key
  } catch (error) {
    // Another run has made it in the meantime.
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return readKey()!
    throw error
  }
}
