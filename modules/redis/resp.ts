/** Redis's own protocol (RESP2): commands to bytes, and bytes to replies. It carries any byte. */

/** A command: its name and arguments, of any bytes. */
export type Command = readonly (string | number | Uint8Array)[]

/** What a server says to one command. Texts are bytes; nothing is `null`. */
export type Reply = Buffer | number | null | readonly Reply[] | ErrorReply

/** `WRONGTYPE Operation against a key holding the wrong kind of value`. */
export interface ErrorReply {
  readonly error: string
}

/** Commands one after another, which a server answers in their order. */
export function encode(commands: readonly Command[]): Buffer {
  return Buffer.concat(
    commands.flatMap((words) => [
      Buffer.from(`*${words.length}\r\n`),
      ...words.flatMap((word) => {
        const bytes = typeof word === 'object' ? word : Buffer.from(String(word))
        return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
      }),
    ]),
  )
}

/** All replies; undefined where the bytes are none, or the last one is cut. */
export function decode(bytes: Buffer): readonly Reply[] | undefined {
  const replies: Reply[] = []
  let at = 0
  while (at < bytes.length) {
    const reply = one()
    if (reply === undefined) return undefined
    replies.push(reply)
  }
  return replies

  function one(): Reply | undefined {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return undefined
    const [kind, said] = [String.fromCharCode(bytes[at]!), bytes.subarray(at + 1, end)]
    at = end + 2
    switch (kind) {
      case '+':
        return said
      case '-':
        return { error: said.toString() }
      case ':':
        return Number(said)
      case '$':
        return Number(said) < 0 ? null : bulk(Number(said))
      case '*':
        return Number(said) < 0 ? null : list(Number(said))
      default:
        return undefined
    }
  }

  function bulk(size: number): Buffer | undefined {
    const value = bytes.subarray(at, at + size)
    at += size + 2
    return at > bytes.length ? undefined : value
  }

  function list(count: number): readonly Reply[] | undefined {
    const all: Reply[] = []
    for (let i = 0; i < count; i++) {
      const reply = one()
      if (reply === undefined) return undefined
      all.push(reply)
    }
    return all
  }
}

export function isError(reply: Reply): reply is ErrorReply {
  return typeof reply === 'object' && reply !== null && 'error' in reply
}

/** A reply that is a text. */
export function textOf(reply: Reply | undefined): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString() : undefined
}
