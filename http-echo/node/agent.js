// One connection for many requests, opened again where that is needed. Rust
// twin: ../src/agent.rs.

import * as http from 'node:http'
import * as https from 'node:https'

const ADVICE = 'start the server first: node http-echo/node/server.js'

/** Asks one server, one request after the other, by HTTP/1.1. */
export class Agent {
  #url
  #protocol
  #agent

  /** Connects with the first request. `options`: whom to trust. */
  constructor(url, options) {
    this.#url = url
    this.#protocol = url.protocol === 'https:' ? https : http
    this.#agent = new this.#protocol.Agent({
      keepAlive: true, maxSockets: 1, noDelay: true, ...options,
    })
  }

  /** The response to a request for `target`. */
  get(target) {
    const { host, protocol } = this.#url
    return new Promise((resolve, reject) => {
      const request = this.#protocol.get(this.#url,
        { agent: this.#agent, path: target }, resolve)
      let attempt = `connect to ${host}`
      let advice = `; ${ADVICE}`
      request.on('socket', socket => {
        if (request.reusedSocket) return // it would hold a listener of each
        socket.once('connect', () => {
          attempt = `connect to ${host} with TLS`
          advice = ''
          if (protocol === 'http:') attempt = `ask for ${target}`
        })
        socket.once('secureConnect', () => { attempt = `ask for ${target}` })
      })
      // 101: the server goes over to another protocol. An event that nobody
      // listens for would end the program here, with status 13.
      request.on('upgrade', resolve)
      request.on('error', ({ code, message }) => {
        // The server may close the connection at the very moment it is used
        // again. To ask again does no harm: GET changes nothing.
        if (request.reusedSocket) return resolve(this.get(target))
        const what = message || code // empty where several were tried
        reject(Error(`${attempt}: ${what}${advice}`))
      })
    })
  }

  /** Ends the connection. */
  close() {
    this.#agent.destroy()
  }
}
