/**
 * The bin's own loader and main(), kept standing: it takes one command line after another, so that what a start costs is
 * paid once. Each gets streams, an environment and a folder of its own.
 */

import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { register } from 'tsx/esm/api'

register({ tsconfig: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)) })
const { main } = await import('../../cli/main.ts')
const environment = { ...process.env }

process.on('message', (line) => void say(line))
process.on('disconnect', () => process.exit())

async function say({ args, cwd, env }) {
  process.chdir(cwd)
  process.env = { ...environment, ...env }
  const stdout = replaced('stdout', (text) => process.send({ stdout: text }))
  const stderr = replaced('stderr')
  const status = await main(args)
  process.send({ status, stdout: stdout(), stderr: stderr() })
}

/** Puts an empty stream in the place of a standard one; gives what is written to it, and tells it as it grows. */
function replaced(name, onText = () => {}) {
  let text = ''
  const value = new Writable({
    decodeStrings: false,
    write: (chunk, _encoding, written) => {
      text += chunk
      onText(text)
      written()
    },
  })
  Object.defineProperty(process, name, { value, configurable: true })
  return () => text
}
