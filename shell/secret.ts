/** Secrets as values that cannot become a text by mistake: a symbol, and what is known of it. */

import { createHash } from 'node:crypto'

declare const brand: unique symbol

/**
 * A value that must not be read by others. It is a symbol: in a template literal, with `+` and in `sh` it is a compile error
 * and throws; `String()` and `JSON.stringify()` do not have its value. Modules take it where they have a place for it.
 */
export type Secret<T = string> = symbol & { readonly [brand]: T }

/** Where the value of a secret comes from; of a text what it is made of. */
export type SecretSource =
  | { readonly kind: 'env'; readonly variable: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly words: readonly string[] }
  | { readonly kind: 'text'; readonly plain: readonly string[]; readonly secrets: readonly Secret[] }

/** Who said it: the place costs the text of a stack, and is read where it is told. */
interface Said {
  readonly place: { readonly file: string; readonly line: number; readonly column: number } | undefined
}

export interface DeclaredSecret {
  readonly secret: Secret
  /** What a reader calls it: `secret.env('DB_PASSWORD')`. */
  readonly name: string
  readonly source: SecretSource
  /** Who said it first. */
  readonly said: Said
  /** Undefined until it is resolved; a text is made of others, and never is. */
  value: string | undefined
}

/** A shorter one could not be told from other words where it is covered. */
export const shortestSecret = 8

const byIdentity = new Map<string, DeclaredSecret>()
const bySymbol = new Map<symbol, DeclaredSecret>()

/** Values that are covered and stand in no play, such as the password to become root. */
const others = new Set<string>()

let standIns = true
let changes = 0

/** The secret of a source; one that was said before is the same one. */
export function declareSecret(source: SecretSource, name: string, said: Said): Secret {
  const identity = identityOf(source)
  const known = byIdentity.get(identity)
  if (known) return known.secret
  if (!standIns && source.kind !== 'text') {
    throw new Error(
      `${name} is said only where facts of the host are known, and secrets are resolved before any connection: say it outside of what depends on facts`,
    )
  }
  const declared: DeclaredSecret = { secret: Symbol(name) as unknown as Secret, name, source, said, value: undefined }
  byIdentity.set(identity, declared)
  bySymbol.set(declared.secret, declared)
  return declared.secret
}

export function isSecret(value: unknown): value is Secret {
  return typeof value === 'symbol' && bySymbol.has(value)
}

/**
 * The value of a secret, for what is sent to a host. Where secrets are not resolved (mock hosts, `play check`) it is a
 * stand-in: letters and digits, the same for the same secret and another for another.
 */
export function reveal(secret: Secret): string {
  const declared = declaredOf(secret)
  const { source, value, name } = declared
  if (source.kind === 'text')
    return source.plain.reduce((text, part, i) => text + reveal(source.secrets[i - 1]!) + part)
  if (value !== undefined) return value
  if (standIns) return standIn(declared)
  throw new Error(`${name} was not resolved`)
}

/** What a reader calls a secret. */
export function secretLabel(secret: Secret): string {
  return declaredOf(secret).name
}

/** Secrets that wait for their values: all that were said, but the texts that are made of them. */
export function unresolvedSecrets(): readonly DeclaredSecret[] {
  return [...bySymbol.values()].filter(({ source, value }) => source.kind !== 'text' && value === undefined)
}

/** Gives a secret its value, which is covered from then on in all that is told. */
export function resolveSecret(secret: Secret, value: string): void {
  declaredOf(secret).value = value
  changes++
}

/** From now on no stand-in is given out: it would get into a host. */
export function endStandIns(): void {
  standIns = false
}

/** Covers a value that is no secret of a play in all that is told, where it is long enough to be told from other words. */
export function coverAlso(value: string): void {
  if (value.length < shortestSecret) return
  others.add(value)
  changes++
}

/** All values that must not be told, and a number that is another when there are others. */
export function secretValues(): { readonly version: number; readonly values: readonly string[] } {
  return { version: changes, values: [...[...bySymbol.values()].flatMap(({ value }) => value ?? []), ...others] }
}

/** Whether anything must not be told; asked for every text. */
export function secretsVersion(): number {
  return changes
}

function declaredOf(secret: Secret): DeclaredSecret {
  const declared = bySymbol.get(secret)
  if (declared) return declared
  throw new TypeError('this symbol is no secret of this copy of fleetplay')
}

function standIn({ source }: DeclaredSecret): string {
  return `standin${digest(identityOf(source)).slice(0, 16)}`
}

function identityOf(source: SecretSource): string {
  if (source.kind !== 'text') return JSON.stringify(source)
  const secrets = source.secrets.map((secret) => identityOf(declaredOf(secret).source))
  return JSON.stringify({ plain: source.plain, secrets })
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
