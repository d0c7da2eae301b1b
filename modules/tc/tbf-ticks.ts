/** Buckets as the kernel keeps them: the time that their bytes take at the rate, in ticks of 64 ns. */

const nanoseconds = 1_000_000_000n

/** Ticks of so many bytes at a rate in bytes in a second. It divides by multiplying, as `psched_l2t_ns()` of the kernel does. */
export function ticksOf(bytes: number, rate: number): number {
  let factor = nanoseconds
  let shift = 0n
  const perSecond = BigInt(rate)
  while (factor / perSecond < 2n ** 31n && factor < 2n ** 63n) {
    factor *= 2n
    shift += 1n
  }
  return Number(((BigInt(bytes) * (factor / perSecond)) >> shift) >> 6n)
}

/** The least bytes that take so many ticks. */
export function burstOf(ticks: number, rate: number): number {
  let bytes = Math.max(0, Math.floor((ticks * 64 * rate) / 1e9) - 2)
  while (ticksOf(bytes, rate) < ticks) bytes++
  return bytes
}
