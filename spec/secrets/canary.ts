/**
 * A secret that sings wherever it is: the two ends of it are words that nothing else has, which no encoding but those that are
 * undone here can hide. It knows nothing of how secrets are covered.
 */

/** What daemons, shells and formats have signs for stands between the ends. */
export const canary = `kanarienvogel-'"\\ $x%/+=&<n>ö;-zeisigschwarm`

/** One without signs, for what takes none. */
export const plainCanary = 'kanarienvogelundzeisigschwarm'

const ends = /kanarienvogel|zeisigschwarm/i

/** Parts of the ends, which an encoding at another offset or a cut may leave of them. */
const parts = /anarienvog|eisigschwa/i

/** Where a text holds a canary or a part of it, as it is or encoded; empty where it does not. */
export function leaksIn(text: string): readonly string[] {
  return [
    ...found('as it is', text, ends),
    ...runs(text, /(?:[0-9a-f]{2}){10,}/gi).flatMap((run) => found('in hexadecimal', decoded(run, 'hex'), parts)),
    ...runs(text.replace(/([\w+/-])\r?\n\s*(?=[\w+/-])/g, '$1'), /[\w+/-]{14,}/g).flatMap((run) =>
      [0, 1, 2, 3].flatMap((skip) => found('in base64', decoded(run.slice(skip), 'base64'), parts)),
    ),
    ...found(
      'percent-encoded',
      text.replace(/%([0-9a-f]{2})/gi, (_, code: string) => letter(code)),
      ends,
    ),
    ...found(
      'escaped',
      text.replace(/\\(?:x|u00)([0-9a-f]{2})/gi, (_, code: string) => letter(code)),
      ends,
    ),
  ]
}

function runs(text: string, pattern: RegExp): readonly string[] {
  return text.match(pattern) ?? []
}

function decoded(run: string, encoding: 'hex' | 'base64'): string {
  return Buffer.from(run, encoding).toString('latin1')
}

function letter(code: string): string {
  return String.fromCharCode(Number.parseInt(code, 16))
}

function found(how: string, text: string, pattern: RegExp): readonly string[] {
  const at = text.search(pattern)
  return at < 0 ? [] : [`${how}: ${JSON.stringify(text.slice(Math.max(0, at - 60), at + 80))}`]
}
