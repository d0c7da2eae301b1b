import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { settingOf, settingsOf, withSettings } from '../../../modules/php/ini-sections.ts'

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/php-fpm/${name}`, import.meta.url), 'utf8')
const pool = fixture('www.conf')

/** Lines that went, and lines that came. */
function difference(before: string, after: string) {
  const [a, b] = [before.split('\n'), after.split('\n')]
  return { gone: a.filter((line) => !b.includes(line)), come: b.filter((line) => !a.includes(line)) }
}

describe('the settings of a section', () => {
  it('are read from Debian’s own pool', () => {
    expect(settingsOf(pool, 'www').map(({ key, value }) => [key, value])).toEqual([
      ['user', 'www-data'],
      ['group', 'www-data'],
      ['listen', '/run/php/php8.4-fpm.sock'],
      ['listen.owner', 'www-data'],
      ['listen.group', 'www-data'],
      ['pm', 'dynamic'],
      ['pm.max_children', '5'],
      ['pm.start_servers', '2'],
      ['pm.min_spare_servers', '1'],
      ['pm.max_spare_servers', '3'],
    ])
    expect(settingOf(pool, 'other', 'pm')).toBeUndefined()
  })

  it('are changed where they stand, and all else stays as it is', () => {
    const text = withSettings(pool, 'www', { 'pm.max_children': 20, pm: 'static' })
    expect(difference(pool, text)).toEqual({
      gone: ['pm = dynamic', 'pm.max_children = 5'],
      come: ['pm = static', 'pm.max_children = 20'],
    })
    expect(text.split('\n')).toHaveLength(pool.split('\n').length)
    expect(withSettings(text, 'www', { 'pm.max_children': 20, pm: 'static' })).toBe(text)
  })

  it('go below the comment that shows their default, which stays', () => {
    const lines = withSettings(pool, 'www', { 'pm.max_requests': 500 }).split('\n')
    expect(lines[lines.indexOf(';pm.max_requests = 500') + 1]).toBe('pm.max_requests = 500')
  })

  it('go to the end of the section where nothing shows them, and in front of files that begin other sections', () => {
    const text = withSettings('[global]\nerror_log = /x\n\ninclude=/etc/pool.d/*.conf\n', 'global', { log_limit: 9 })
    expect(text).toBe('[global]\nerror_log = /x\nlog_limit = 9\n\ninclude=/etc/pool.d/*.conf\n')
    const global = withSettings(fixture('php-fpm.conf'), 'global', { process_control_timeout: '10s' })
    expect(global).toMatch(/\n;process_control_timeout = 0\nprocess_control_timeout = 10s\n/)
    expect(withSettings('[a]\nx = 1\n\n[b]\ny = 1', 'a', { z: 2 })).toBe('[a]\nx = 1\nz = 2\n\n[b]\ny = 1')
    expect(withSettings('[a]\nx = 1', 'a', { z: 2 })).toBe('[a]\nx = 1\nz = 2\n')
  })

  it('are of their own section alone', () => {
    const text = '[www]\npm = dynamic\n[api]\npm = dynamic\n'
    expect(withSettings(text, 'api', { pm: 'static' })).toBe('[www]\npm = dynamic\n[api]\npm = static\n')
  })

  it('make a section that is not there', () => {
    expect(withSettings('', 'www', { pm: 'static', user: 'a' })).toBe('[www]\npm = static\nuser = a\n')
    expect(withSettings('[a]\nx = 1', 'www', { pm: 'static' })).toBe('[a]\nx = 1\n\n[www]\npm = static\n')
  })

  it('that are said twice are said once afterwards, since only the last counts', () => {
    expect(withSettings('[a]\nx = 1\ny = 1\nx = 2 ; mine\n', 'a', { x: 2 })).toBe('[a]\ny = 1\nx = 2 ; mine\n')
    expect(withSettings('[a]\nx = 1\nx = 2\n', 'a', { x: 3 })).toBe('[a]\nx = 3\n')
  })

  it('that say the same in other words stay as they are', () => {
    const text = '[a]\nx = yes ; as ever\ny="a"\n'
    expect(withSettings(text, 'a', { x: true, y: 'a' })).toBe(text)
  })

  it('are taken out', () => {
    expect(withSettings('[a]\nx = 1\ny = 1\n', 'a', { x: undefined, z: undefined })).toBe('[a]\ny = 1\n')
    expect(withSettings('', 'a', { x: undefined })).toBe('')
  })

  it('keep the ends of lines', () => {
    expect(withSettings('[a]\r\nx = 1\r\n', 'a', { x: 2, y: 3 })).toBe('[a]\r\nx = 2\r\ny = 3\r\n')
  })

  it('may have a bracket in their name', () => {
    const text = '[www]\n;php_admin_value[memory_limit] = 32M\n'
    expect(withSettings(text, 'www', { 'php_admin_value[memory_limit]': '64M' })).toBe(
      '[www]\n;php_admin_value[memory_limit] = 32M\nphp_admin_value[memory_limit] = 64M\n',
    )
  })
})
