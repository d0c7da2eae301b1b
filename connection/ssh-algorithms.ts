/** Which algorithms of SSH we speak, in our order. */

type HostKeyAlgorithm = `ecdsa-sha2-nistp${256 | 384 | 521}` | `rsa-sha2-${256 | 512}` | 'ssh-ed25519'

/**
 * Without `diffie-hellman-group-exchange` (reports of freezes of 20 s with old servers), SHA-1 and CBC. ssh2 has no
 * post-quantum key exchange.
 */
export const algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
} as const

/** For each type of key in known_hosts the algorithms with which a host proves that it has it. */
const hostKeyAlgorithms: Readonly<Record<string, readonly HostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

/** One key of each kind is what a host mostly has: these are asked for one after the other to see all of its keys. */
export const hostKeyKinds: readonly (readonly HostKeyAlgorithm[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256'],
]

/** What known_hosts has comes first, so that a host with several keys shows the one that is known. */
export function hostKeyOrder(types: readonly string[]): HostKeyAlgorithm[] {
  const first = types.flatMap((type) => hostKeyAlgorithms[type] ?? [])
  return [...new Set([...first, ...hostKeyKinds.flat()])]
}
