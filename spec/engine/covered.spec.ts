/** No secret that is known by its form is told: not in an event, from which come the text, the diff and the JSON. */

import { describe, expect, it } from 'vitest'
import type { Task } from '../../dsl/task.ts'
import { block, file, haproxyConfig, haproxyFrontend, line, phpSession, redisConfig, wpConfig } from '../../index.ts'
import { withSecretsCovered } from '../../engine/covered.ts'
import { fileAt } from '../../modules/file.ts'
import { haproxyFile } from '../../modules/haproxy-file.ts'
import { iniFile } from '../../modules/php/php-ini.ts'
import { redisConf } from '../../modules/redis/config-file.ts'
import { configFile } from '../../modules/wordpress/config-file.ts'
import { haproxyVersion } from '../../modules/software-version.ts'
import type { FileState } from '../../probe/file.ts'
import { jsonLine } from '../../report/json.ts'
import { Story } from '../../report/story.ts'
import { bodyText } from '../../report/text.ts'
import { unifiedDiff } from '../../report/diff.ts'
import { type MockHost, mockHost } from '../../testing/mock-host.ts'
import { run } from '../../testing/run.ts'

const of = (text: string): FileState => ({
  type: 'file',
  content: { text },
  mode: '0640',
  owner: 'root',
  group: 'root',
})

/** All that is told of a run: JSON, and the text with its diffs. */
async function told(task: Task, host: MockHost, options = {}): Promise<string> {
  const { events } = await run(task, host, options)
  const story = new Story(true)
  for (const event of events) story.add(event)
  const page = { color: false, width: 120, folder: '/', diff: unifiedDiff, again: () => '' }
  return events.map((event) => jsonLine(event, 1)).join('') + bodyText(story, page as never)
}

const my = '/root/.my.cnf'
const cfg = '/etc/haproxy/haproxy.cfg'
const ini = '/etc/php/8.4/fpm/conf.d/99-session.ini'
const wp = '/srv/www/wp-config.php'
const haproxy = () => mockHost('web1').has(haproxyVersion, '3.2.26')

describe('a secret that is known by its form', () => {
  it.each<[string, Task, MockHost]>([
    [
      'a line beside one that changes, in a file of options for mysql',
      line(my).present('user = wp2', { matching: /^user/ }),
      mockHost('db1').has(fileAt(my), of('[client]\nuser = wp\npassword = correct horse\n')),
    ],
    [
      'a content that a play says',
      file(my).content('[client]\npassword="correct horse"\n').mode('0600'),
      mockHost('db1'),
    ],
    [
      'a line that a play says, which is in the title of its task',
      line('/etc/a').present('API_TOKEN=correct horse', { create: true }),
      mockHost('a'),
    ],
    [
      'a block beside a private key',
      block('/etc/a', 'x').content('b'),
      mockHost('a').has(
        fileAt('/etc/a'),
        of('-----BEGIN PRIVATE KEY-----\ncorrect horse\n-----END PRIVATE KEY-----\n'),
      ),
    ],
    [
      'requirepass of redis.conf',
      redisConfig({ maxmemory: '64mb' }),
      mockHost('a').has(
        redisConf('/etc/redis/redis.conf'),
        of('requirepass "correct horse"\nuser default on >correct\\x20horse\n'),
      ),
    ],
    [
      'DB_PASSWORD and the salts of wp-config.php',
      wpConfig(wp).define('DISABLE_WP_CRON', true),
      mockHost('a').has(
        configFile(wp),
        of("<?php\ndefine( 'DB_PASSWORD', 'correct horse' );\ndefine('AUTH_KEY', 'correct horse');\n"),
      ),
    ],
    [
      'the password in session.save_path that was there before',
      phpSession('8.4').redis(),
      mockHost('a').has(
        iniFile('8.4', 'fpm', ini),
        of('session.save_path = "tcp://cache1:6379?auth=correct%20horse"\n'),
      ),
    ],
    [
      'the userlist and stats auth of the configuration that was there before',
      haproxyConfig().frontend(haproxyFrontend('http').bind('80').directives('http-request redirect scheme https')),
      haproxy().has(
        haproxyFile(cfg),
        of('userlist a\n  user b insecure-password correct\\ horse\nlisten s\n  stats auth admin:correct\\ horse\n'),
      ),
    ],
  ])('is in no event, diff or text: %s', async (_, task, host) => {
    for (const check of [true, false]) {
      const text = await told(task, host, { check })
      expect(text).not.toMatch(/correct[ \\%]/)
    }
  })

  it('is in no words of a command that failed', async () => {
    const stderr = `>>> 'requirepass correct horse'\nBad directive\nDSN mysql://wp:correct%20horse@db1/wp refused`
    const host = mockHost('a').fails(fileAt('/etc/a'), { stderr })
    const text = await told(file('/etc/a').content('x'), host)
    expect(text).toContain('DSN mysql://wp:(secret)@db1/wp refused')
    expect(text).not.toContain('correct')
  })

  it('leaves the change itself to be seen', async () => {
    const { changes } = await run(
      file(my).content('password = b\n'),
      mockHost('a').has(fileAt(my), of('password = a\n')),
    )
    expect(changes).toMatchObject([
      { key: `file:${my}`, diff: { before: 'password = (secret)\n', after: 'password = (secret)\n' } },
    ])
  })
})

describe('withSecretsCovered', () => {
  it('covers every text, and leaves keys, places and what is no text', () => {
    const value = {
      key: 'line:token=abc',
      place: { file: '/token=abc', line: 1, column: 1 },
      texts: ['token=abc', { deep: 'token=abc' }],
      none: undefined,
      count: 3,
    }
    expect(withSecretsCovered(value)).toEqual({
      ...value,
      texts: ['token=(secret)', { deep: 'token=(secret)' }],
    })
  })

  it('does not make what is made only where it is read', () => {
    let made = 0
    const info = {
      get place() {
        made++
        return { file: 'token=abc', line: 1, column: 1 }
      },
      get title() {
        made++
        return 'token=abc'
      },
    }
    const told = withSecretsCovered({ task: info })
    expect(made).toBe(0)
    expect([told.task.title, told.task.place.file, made]).toEqual(['token=(secret)', 'token=abc', 2])
    expect(JSON.parse(JSON.stringify(told))).toMatchObject({ task: { title: 'token=(secret)' } })
  })
})
