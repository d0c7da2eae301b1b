/** What an engineer needs to test a play without a host. */

export { matchers } from './matchers.ts'
export { MockHost, mockHost, type MockOptions, type Refusal } from './mock-host.ts'
export { run, type RunOptions, type RunResult } from './run.ts'
