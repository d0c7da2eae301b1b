/** Prints `PASSED FAILED` of a report that vitest wrote as JSON; names on standard error what failed or was skipped. */

import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const tests = report.testResults.flatMap((file) => file.assertionResults)
// A file whose import or hook failed has failed without a failed test.
const files = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
)
const passed = tests.filter((test) => test.status === 'passed').length
const failed = tests.filter((test) => test.status === 'failed')
const skipped = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed')

for (const file of files) console.error(`FAILED ${file.name}: ${file.message}`)
for (const test of failed) console.error(`FAILED ${test.fullName}`)
for (const test of skipped) console.error(`not run: ${test.fullName}`)
if (passed + failed.length + files.length === 0) process.exit(1)
console.log(`${passed} ${failed.length + files.length}`)
