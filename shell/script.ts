/** Text that is safe to run: every hole of `sh` is quoted, and there is no other way to make a script. */

import { quote } from './quote.ts'
import { isSecret, reveal, type Secret, secretLabel } from './secret.ts'

/** What may stand in a hole: a word, several words (each quoted, spaces between), or a script that is spliced. */
export type Hole = string | number | readonly (string | number)[] | Script

export class Script {
  /** POSIX shell text. */
  readonly text: string
  /** What the script was given to read; a secret has its value when it is sent. */
  readonly given: string | Uint8Array | Secret | undefined
  /** Keys of places that it changes beside its own; undefined means it may change anything. */
  readonly touched: readonly string[] | undefined
  /** What it is called, where its first line does not say what it runs. */
  readonly words: string | undefined

  private constructor(text: string, given: Script['given'], touched: Script['touched'], words: Script['words']) {
    this.text = text
    this.given = given
    this.touched = touched
    this.words = words
  }

  /** @internal Made by `sh` only. */
  static of(text: string): Script {
    return new Script(text, undefined, undefined, undefined)
  }

  /** What the script reads on standard input; without it standard input is empty. */
  get input(): string | Uint8Array | undefined {
    return typeof this.given === 'symbol' ? reveal(this.given) : this.given
  }

  /** What a reader is told was run: what it is called, or its first line that says something. */
  get brief(): string {
    return this.words ?? this.text.split('\n').find((line) => line.trim() !== '') ?? ''
  }

  /**
   * Gives the script its standard input, byte for byte; the way for contents and for whatever must not be an argument.
   *
   * @example
   * sh`docker login -u deploy --password-stdin registry.example`.reading(secret.env('REGISTRY_PASSWORD'))
   */
  reading(input: string | Uint8Array | Secret): Script {
    return new Script(this.text, input, this.touched, this.words)
  }

  /**
   * Names the places that the script changes beside its own, as keys (`unit:nginx.service`) or prefixes (`unit:*`).
   * A script that says nothing may change anything: everything later is read again.
   */
  touches(...keys: readonly string[]): Script {
    return new Script(this.text, this.given, [...(this.touched ?? []), ...keys], this.words)
  }

  /** Says in a few words what it runs, where its first line does not: `systemctl restart nginx.service`. A failure tells it; no secret may be in it. */
  called(words: string): Script {
    return new Script(this.text, this.given, this.touched, words)
  }
}

/**
 * A shell script. Holes are quoted: a string is one word, a list is several words, a script is spliced as it is, with
 * its standard input (which only one can have).
 *
 * @example
 * sh`systemctl restart ${unit}`
 * sh`rm -f -- ${paths}`
 */
export function sh(strings: TemplateStringsArray, ...holes: readonly Hole[]): Script {
  const text = strings.raw.reduce((before, part, i) => before + word(holes[i - 1]!) + part)
  return fed(Script.of(text), holes)
}

/**
 * Scripts one after another, each on lines of its own; what they touch is the union, one of them may have an input, and what
 * some are called they are called together.
 */
export function lines(...scripts: readonly Script[]): Script {
  const words = [...new Set(scripts.flatMap((script) => script.words ?? []))].join('; ')
  const all = fed(Script.of(scripts.map((script) => script.text).join('\n')), scripts)
  const joined = words === '' ? all : all.called(words)
  return scripts.every((script) => script.touched) ? joined.touches(...scripts.flatMap((s) => s.touched ?? [])) : joined
}

/** The script with the input of those that it is made of. */
function fed(script: Script, parts: readonly Hole[]): Script {
  const inputs = parts.flatMap((part) => (part instanceof Script ? (part.given ?? []) : []))
  if (inputs.length > 1) throw new RangeError('a script has one standard input; two of its parts bring one')
  return inputs[0] === undefined ? script : script.reading(inputs[0])
}

function word(hole: Hole): string {
  if (hole instanceof Script) return hole.text
  if (typeof hole === 'string') return quote(hole)
  if (typeof hole === 'number') return quote(String(hole))
  return (Array.isArray(hole) ? hole : [hole]).map((part: unknown) => quote(String(plain(part)))).join(' ')
}

/** The text of a script is told in logs, and stands in lists of processes where it runs a program. */
function plain(part: unknown): unknown {
  if (typeof part !== 'symbol') return part
  const name = isSecret(part) ? secretLabel(part) : String(part)
  throw new TypeError(
    `${name} cannot stand in a script, which is told: let the script read it, sh\`…\`.reading(secret)`,
  )
}
