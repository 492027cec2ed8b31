#!/usr/bin/env node
// client.mjs SERVICE TEXT: asks the broker for a worker, calls it directly, releases it. Nothing but PROTOCOL.md.
// POINTSMAN_BROKER may name several brokers, and places to look for some (brokers.mjs): they are asked in sequence until one grants.
// With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY it encrypts.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { encode, decode } from '@msgpack/msgpack'
import { Dealer } from 'zeromq'
import { find } from './brokers.mjs'

const { POINTSMAN_KEY: own, POINTSMAN_BROKER_KEY: brokerKey } = process.env

// A key in a file of keys; or itself, if it is no file.
const keyIn = (file, half = 'public') =>
  existsSync(file) ? readFileSync(file, 'utf8').match(new RegExp(`^${half} (\\S+)`, 'm'))[1] : file

// A connection to somebody with this public key; without one it is not encrypted.
const link = (endpoint, key) => {
  const curve = key && { curveServerKey: key, curvePublicKey: keyIn(own), curveSecretKey: keyIn(own, 'secret') }
  const socket = new Dealer({ linger: 0, ipv6: true, receiveTimeout: 10_000, ...curve })
  socket.connect(endpoint)
  return socket
}

// Sends a message and returns its answer: the body and all payload frames.
const ask = async (socket, message, ...payload) => {
  await socket.send(['', encode(message), ...payload])
  for (const frames = []; ;) {
    const [, body, ...more] = await socket.receive()
    const answer = decode(body)
    frames.push(...more)
    if (['refused', 'failed'].includes(answer.op)) throw new Error(`${answer.code}: ${answer.reason}`)
    if (!answer.more) return [answer, frames]
  }
}

// A grant by the first broker that gives one; which is asked first is up to chance. Says hello first where there is
// another one, so that no request is left with a broker that does not answer.
const acquire = async service => {
  const sources = process.env.POINTSMAN_BROKER ?? 'tcp://127.0.0.1:5570'
  const brokers = await find(sources)
  if (!brokers.length) throw new Error(`unreachable: no broker was found at ${sources}`)
  const request = { op: 'request', id: randomUUID(), service, wait_ms: 5000 }
  const first = Math.floor(Math.random() * brokers.length)
  for (let left = brokers.length - 1; ; left--) {
    const { endpoint, key } = brokers[(first + brokers.length - left) % brokers.length]
    const broker = link(endpoint, own && keyIn(key || brokerKey))
    try {
      if (left) {
        broker.receiveTimeout = 1500
        await ask(broker, { op: 'hello' })
        broker.receiveTimeout = 10_000
      }
      return (await ask(broker, request))[0]
    } catch (problem) {
      if (!left) throw problem
    }
  }
}

const [service, text] = process.argv.slice(2)
const grant = await acquire(service)
const { session, ticket } = grant
const worker = link(grant.endpoint, grant.key)
const [, frames] = await ask(worker, { op: 'call', session, number: 1, ticket }, text)
await ask(worker, { op: 'release', session })
process.stdout.write(Buffer.concat(frames))
process.exit()
