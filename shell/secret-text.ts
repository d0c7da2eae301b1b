/** Secrets in texts, known by their value or by their form: what a reader is told has none of them. */

import { SecretFinder } from './secret-forms.ts'
import { secretsVersion, secretValues } from './secret.ts'

/** What is told in the place of a secret. */
export const covered = '(secret)'

/** Texts that cannot hold one are most of them. */
const hint =
  /pass|pwd|secret|token|auth|salt|key|credential|identified|user|:\/\/|\$\w+\$|\{S?SHA\}|redis-cli|mysql|curl/i

/** Words that the names of secrets end with: `DB_PASSWORD`, `api_key`. What goes on, as `password_file` does, is none. */
const name =
  '(?:passw(?:or)?d|passphrase|(?<![a-z])pass|requirepass|masterauth|primaryauth|key-file-pass|pwd|secret|token|cli_auth|api[_-]?key|(?:auth|secret|private|access|logged_in|nonce)_key|_salt|credentials?)'

const secretName = new RegExp(`${name}$`, 'i')

/** Values that tell nothing, or say where the secret is. */
const harmless = String.raw`(?!["'\`]?(?:yes|no|true|false|on|off|null|none|undefined|[01]|\$\{\w+\}|%\w*%|\(secret\))?["'\`]?[ \t,;)}]*$)`

/** Each keeps its first group, and covers what follows it. */
const forms: readonly RegExp[] = [
  // redis://user:horse@cache1
  /(:\/\/[^\s/@:"'?#]{0,256}:)[^\s/@"'`]{1,512}(?=@)/g,
  // ?auth=horse, ?auth[pass]=horse as phpredis has it
  /([?&](?:auth|pass(?:word)?|secret|signature|(?:access_)?token|api_?key)(?:\[[^\]=\s]{0,64}\]|%5B[^=\s&]{0,64})?=)[^&\s"'`]+/gi,
  // Authorization: Basic aG9yc2U=
  /(authorization[^\w\n]{0,8}(?:basic|bearer|digest|negotiate|token)\\?\s+)[^\s"'`]+/gi,
  /(authorization["'`]?\s*[:,]\s*["'`])(?!(?:basic|bearer|digest|negotiate|token)\s)[^"'`\n]+/gi,
  // redis.conf, also where the server quotes the line; and an ACL
  /((?:^[+ -]?[ \t]*|["'`]|config[ \t]+set[ \t]+)(?:requirepass|masterauth|primaryauth|masteruser|tls-(?:client-)?key-file-pass)[ \t]+)[^\s(][^\n]*/gim,
  /(^[+ -]?[ \t]*user[ \t]+\S+[ \t]+)(?=[^\n]*(?:[><#!]\S|nopass))[^\n]+/gim,
  // HAProxy
  /(\bstats[ \t]+auth[ \t]+[^\s:]+:)(?!"?\$\{\w+\}"?(?:\s|$))\S+/gi,
  /(\buser[ \t]+\S+[ \t]+(?:insecure-)?password[ \t]+)(?!"?\$\{\w+\}"?(?:\s|$))\S+/gi,
  // SQL
  /(\bidentified[ \t]+(?:with[ \t]+\S+[ \t]+)?(?:by|as)[ \t]+(?:password[ \t]+)?)(?:'[^'\n]*'?|"[^"\n]*"?)/gi,
  // Arguments
  /(--(?:pass(?:word|wd|phrase)?|secret|token)[ \t]+)(?![-&|])\S+/g,
  /(\b(?:mysql|mariadb)\w*\b[^\n|]{0,200}?[ \t]-p)[^\s"'`]\S*/g,
  /(\bredis-cli\b[^\n|]{0,200}?[ \t]-a[ \t]+)\S+/g,
  /(\bcurl\b[^\n|]{0,200}?[ \t](?:-u|--user)[ \t]+["']?[^\s:"']+:)[^\s"']+/g,
  // 'DB_PASSWORD', 'horse' · "password": "horse" · token => 'horse'
  new RegExp(String.raw`(${name}["'\`]?\s*(?:,|=>|:)\s*"(?!\(secret\)))(?:\\.|[^"\\\n])+`, 'gi'),
  new RegExp(String.raw`(${name}["'\`]?\s*(?:,|=>|:)\s*'(?!\(secret\)))(?:\\.|[^'\\\n])+`, 'gi'),
  new RegExp(String.raw`(${name}["'\`]?\s*(?:,|=>|:)\s*\`(?!\(secret\)))(?:\\.|[^\`\\\n])+`, 'gi'),
  // password = horse · "DB_PASSWORD=horse" "OTHER=x" · password: horse
  new RegExp(String.raw`(${name}["']?\]?[ \t]*=[ \t]*)(?![=>~])${harmless}"(?:\\.|[^"\\\n])*"?`, 'gim'),
  new RegExp(String.raw`(${name}["']?\]?[ \t]*=[ \t]*)(?![=>~])${harmless}'(?:\\.|[^'\\\n])*'?`, 'gim'),
  new RegExp(
    String.raw`(${name}["']?\]?[ \t]*=[ \t]*)(?![=>~"'])${harmless}[^\s(][^\n]*?(?=["'](?:[\s;,)]|$)|$)`,
    'gim',
  ),
  new RegExp(String.raw`(^[+ -]?[ \t]*(?:-[ \t]+)?[\w.-]*${name}:[ \t]+)${harmless}[^\s"'(][^\n]*`, 'gim'),
  // Keys, and what crypt(3) makes of passwords
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?!\(secret\))[^]*?(?=-----END |$(?![^]))/g,
  /()\$(?:[1567y]|gy|2[abxy]?|apr1|argon2\w{1,2}|P|H)\$[^\s:"'`,;]{8,}/g,
  /(\{S?SHA\})[^\s"'`]+/g,
]

/**
 * A text without secrets: those of the play, whose values are known, in every form that they may come back in; and those that
 * are known by their form: passwords and tokens beside their names, in URLs, in headers and in the directives of daemons;
 * private keys; what crypt(3) makes of a password. What it does not know, it cannot cover.
 */
export function withoutSecrets(text: string): string {
  return withoutForms(withoutKnownSecrets(text))
}

let known: { readonly version: number; readonly finder: SecretFinder | undefined } = { version: 0, finder: undefined }

/** A text without the secrets whose values are known: for what a person asked for, word by word. */
export function withoutKnownSecrets(text: string): string {
  if (known.version !== secretsVersion()) {
    const { version, values } = secretValues()
    known = { version, finder: new SecretFinder(values) }
  }
  return known.finder ? known.finder.covering(text, covered) : text
}

function withoutForms(text: string): string {
  if (!hint.test(text)) return text
  return forms.reduce((told, form) => told.replace(form, `$1${covered}`), text)
}

/** Whether something of this name is a secret: `DB_PASSWORD`, `smtp:token`. */
export function namesSecret(word: string): boolean {
  return secretName.test(word)
}

/** Whether a text holds a secret that is known by its form. */
export function holdsSecret(text: string): boolean {
  return withoutForms(text) !== text
}
