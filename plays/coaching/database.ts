/** What MySQL guesses about the bookings, and the indexes that nothing needs. */

import { mysqlHistogram, mysqlIndex, mysqlPlan, service, type TaskList } from 'fleetplay'

const sessionsOfADay =
  "select id from wp_eistruttore_schedule where status = 'available' and session_date = '2026-06-01'"

/** How the dates are spread: without it MySQL guesses that one row in ten is of any day. It makes no index, and needs none. */
export const bookingStatistics = (schema: string): TaskList => [
  service('mysql').enabled().started(),
  mysqlHistogram('wp_eistruttore_schedule').on('session_date').buckets(100).in(schema).maxAge('7d'),
  mysqlPlan(sessionsOfADay).in(schema).rowsBelow(100_000).warn().tags('watch'),
]

/** An index that no server has read for three days is hidden, and dropped when nobody has missed it for three more. */
export const retiredIndexes = (schema: string, replicas: readonly string[]) =>
  mysqlIndex('wp_postmeta', 'idx_legacy_meta_key').in(schema).retire({
    unusedFor: '72h',
    grace: '72h',
    on: replicas,
    onDefaultsFile: '/root/.replicas.cnf',
  })
