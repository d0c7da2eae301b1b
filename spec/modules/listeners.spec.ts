import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import { listeners } from '../../modules/listeners.ts'
import { answers } from './answers.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/nginx/${name}.out`, import.meta.url), 'utf8')

/** What a place makes of what a host printed: a value, or the code of why there is none. */
function told<T>(place: Resource<T>, stdout: string, status = 0): T | string {
  const [answer] = answers([place], { status, stdout: Buffer.from(stdout) })
  return answer instanceof Failure ? answer.code : answer!
}

describe('listeners()', () => {
  it('names the units on a port, each once', () => {
    expect(told(listeners(443), fixture('sid-ss'))).toEqual(['nginx.service'])
    expect(told(listeners(443), fixture('bookworm-ss'))).toEqual(['early-hints-coaching.service'])
    expect(told(listeners(3306), fixture('bookworm-ss'))).toEqual(['mariadb.socket'])
    expect(told(listeners(43), fixture('sid-ss'))).toEqual([])
  })

  it('names the scope of what somebody started by hand', () => {
    const line = 'LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* cgroup:/user.slice/user-0.slice/session-3.scope\n'
    expect(told(listeners(8080), line)).toEqual(['session-3.scope'])
  })

  it('knows no unit where the kernel does not tell, and none where ss is missing', () => {
    expect(told(listeners(443), 'LISTEN 0 511 0.0.0.0:443 0.0.0.0:* cgroup:unreachable:1\n')).toEqual([])
    expect(told(listeners(443), 'LISTEN 0 511 0.0.0.0:443 0.0.0.0:*\n')).toEqual([])
    expect(told(listeners(443), '', 127)).toEqual([])
    expect(told(listeners(443), '', 1)).toBe('E_PROBE_UNPARSABLE')
  })
})
