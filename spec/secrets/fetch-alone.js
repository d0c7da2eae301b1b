/**
 * Fetches secrets of files once for each environment that it is given, each time with a fresh copy of what fetches them, as if
 * play were started again: `fetch-alone.js '{ "paths": […], "environments": […] }'`. Prints what came of each, in JSON.
 */

import { fileURLToPath } from 'node:url'
import { register } from 'tsx/esm/api'

const tsconfig = fileURLToPath(new URL('../../tsconfig.json', import.meta.url))
const { paths, environments } = JSON.parse(process.argv[2])

const came = []
for (const [i, environment] of environments.entries()) {
  const copy = register({ tsconfig, namespace: `copy${i}` })
  const { secret } = await copy.import('../../dsl/secret.ts', import.meta.url)
  const { reveal } = await copy.import('../../shell/secret.ts', import.meta.url)
  const { fetchSecrets } = await copy.import('../../cli/secrets.ts', import.meta.url)
  // In place: the home folder is read from the environment that the process has, and not from another object.
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, environment)
  const secrets = paths.map((path) => secret.file(path))
  try {
    await fetchSecrets([{ carrier: 'local' }])
    came.push({ values: secrets.map(reveal) })
  } catch (error) {
    came.push({ mistakes: error.failures.map(({ code, message, hint }) => ({ code, message, hint })) })
  }
}
process.stdout.write(JSON.stringify(came))
