// Loaded before the command line (NODE_OPTIONS=--import): connections to a host go through a relay on loopback, which counts
// and cuts, while the inventory keeps the address that plays write into files.

import { Socket } from 'node:net'

const [from, to] = (process.env.FAULTS_DIVERT ?? '').split(' ')
// oxlint-disable-next-line typescript/unbound-method -- it is called with the socket that it is of
const { connect } = Socket.prototype
Socket.prototype.connect = function (...words) {
  const options = Array.isArray(words[0]) ? words[0][0] : words[0]
  if (options && `${options.host}:${options.port}` === from)
    Object.assign(options, { host: '127.0.0.1', port: Number(to) })
  return connect.apply(this, words)
}
