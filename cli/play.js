#!/usr/bin/env node
// The command `play`: from source in a checkout (which has a tsconfig.json, and needs no build), else from what was built.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const tsconfig = fileURLToPath(new URL('../tsconfig.json', import.meta.url))
const source = existsSync(tsconfig)
if (source) {
  const { register } = await import('tsx/esm/api')
  register({ tsconfig })
}
const { main } = await import(source ? './main.ts' : '../dist/cli/main.js')
const status = await main(process.argv.slice(2))
// What is still open by now (an agent's socket, a timer of a host that was lost) must not keep us.
process.stdout.write('', () => process.exit(status))
