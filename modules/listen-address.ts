/** Where a server listens. */

/** A port, or an address with a port: `443`, `[::]:443`, `192.0.2.1:443`. */
export type Listen = `${number}` | `${string}:${number}` | `[${string}]:${number}`

/** The port of a `Listen`. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

/** What is wrong with a `Listen`. */
export function listenProblem(address: string): string | undefined {
  const [, host, port] = /^(?:([\d.]+|\[[\da-fA-F:]+\]):)?(\d{1,5})$/.exec(address) ?? []
  const valid =
    Number(port) > 0 &&
    Number(port) < 65536 &&
    (host === undefined || host.startsWith('[') || /^(\d{1,3}\.){3}\d{1,3}$/.test(host))
  return valid
    ? undefined
    : `${JSON.stringify(address)} is not a port or an address with a port, such as 443 or 10.0.3.11:443`
}

export function isIpv6(address: string): boolean {
  return address.startsWith('[')
}
