/** What an engineer needs to test a play without a host. */

export type { Example } from './example.ts'
export { type Breach, type Findings, type Ground, type Law, mockGround, type Snapshot, tryLaws } from './laws.ts'
export { matchers } from './matchers.ts'
export { MockHost, mockHost, type MockOptions, type Refusal } from './mock-host.ts'
export { canary, hostileTexts, quoted, type Quoted } from './quoted.ts'
export { run, type RunOptions, type RunResult } from './run.ts'
