#!/usr/bin/env node
// client.mjs SERVICE TEXT: asks the broker for a worker, calls it directly, releases it. Nothing but PROTOCOL.md.
// POINTSMAN_BROKER may name several brokers, and places to look for some (brokers.mjs): they are asked in sequence until one grants.
// A broker may send it on to one below, with a pass, which it keeps for as long as it has a worker there (PROTOCOL.md, "Tiers").
// With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY it encrypts.
import { randomUUID } from 'node:crypto'
import { encode, decode } from '@msgpack/msgpack'
import { brokerKey, find, keyIn, link, own } from './brokers.mjs'

// Another broker may do it all the same.
const elsewhere = ['unreachable', 'unknown-service', 'no-match', 'no-worker', 'queue-full', 'hopeless', 'busy', 'limit-reached',
  'shutting-down', 'unknown-key', 'not-allowed', 'over-quota', 'too-fast', 'overloaded']
const refusal = (code, reason) => Object.assign(new Error(`${code}: ${reason}`), { code })

// Sends a message; to somebody who lets nobody in, or takes nothing, it is lost.
const tell = (socket, message, ...payload) => socket.send(['', encode(message), ...payload]).catch(() => {})

// Sends a message and returns its answer: the body and all payload frames.
const ask = async (socket, message, ...payload) => {
  await tell(socket, message, ...payload)
  for (const frames = []; ;) {
    const [, body, ...more] = await socket.receive().catch(() => { throw refusal('unreachable', 'nobody answers') })
    const answer = decode(body)
    if (answer.op === 'renewed' || answer.about === 'renew') continue // of a pass; what is below does not need it
    frames.push(...more)
    if (['refused', 'failed'].includes(answer.op)) throw refusal(answer.code ?? 'failed', answer.reason)
    if (!answer.more) return [answer, frames]
  }
}

// The passes by which we came to the broker that gives us a worker, from above to below: sessions at brokers that sent us on.
const passes = []
const hold = (broker, { session, term_ms }) => {
  const renewing = setInterval(() => tell(broker, { op: 'renew', session }), (term_ms || 30_000) / 3)
  passes.push({ broker, session, renewing })
}

// A grant by this broker, or by one below that it sends us to; `way` are those that sent us here. Says hello first where
// there is another one to ask, so that no request is left with a broker that does not answer.
const acquireAt = async (endpoint, key, request, end, way, last = false) => {
  const broker = link(endpoint, key)
  way = [...way, endpoint]
  if (!last) {
    broker.receiveTimeout = 1500
    await ask(broker, { op: 'hello' })
  }
  for (let id = request.id, failed = 0, exclude = []; ;) {
    const wait_ms = Math.max(0, Math.round(end - performance.now()))
    broker.receiveTimeout = wait_ms + 5000
    const [grant] = await ask(broker, { ...request, id, failed, exclude, wait_ms }).catch(problem => {
      broker.linger = 1000 // what is told last shall arrive
      tell(broker, { op: 'cancel', id })
      throw problem
    })
    if (grant.direct !== 'broker') return grant
    hold(broker, grant)
    if (way.includes(grant.endpoint) || way.length === 4) {
      throw refusal('loop', `brokers send it in a circle, or too far: ${[...way, grant.endpoint].join(' ')}`)
    }
    try {
      return await acquireAt(grant.endpoint, grant.key, { ...request, id }, end, way)
    } catch (problem) {
      if (!elsewhere.includes(problem.code) || performance.now() > end) throw problem
    }
    clearInterval(passes.pop().renewing)
    id = randomUUID(), failed = grant.session, exclude = [...exclude, grant.worker].slice(-8)
  }
}

// A grant by the first broker that gives one; which is asked first is up to chance, or where there is `home` to the service.
const acquire = async service => {
  const sources = process.env.POINTSMAN_BROKER ?? 'tcp://127.0.0.1:5570'
  const brokers = await find(sources, 'clients', service, Math.floor(Math.random() * 64))
  if (!brokers.length) throw refusal('unreachable', `no broker was found at ${sources}`)
  const request = { op: 'request', id: randomUUID(), service }
  const end = performance.now() + 5000
  for (let left = brokers.length - 1; ; left--) {
    const { endpoint, key } = brokers[brokers.length - 1 - left]
    try {
      return await acquireAt(endpoint, own && keyIn(key || brokerKey), request, end, [], !left)
    } catch (problem) {
      if (!left || !elsewhere.includes(problem.code)) throw problem
    }
  }
}

// Gives back what it came by; the term ends what cannot be given back.
const leave = async () => {
  for (const { broker, session, renewing } of passes) {
    clearInterval(renewing)
    broker.receiveTimeout = 1500
    await ask(broker, { op: 'release', session }).catch(() => {})
  }
}

const [service, text] = process.argv.slice(2)
try {
  const { session, ticket, endpoint, key } = await acquire(service)
  const worker = link(endpoint, key)
  const [, frames] = await ask(worker, { op: 'call', session, number: 1, ticket }, text)
  await ask(worker, { op: 'release', session })
  process.stdout.write(Buffer.concat(frames))
} catch (problem) {
  console.error(problem.message)
  process.exitCode = 1
}
await leave()
process.exit()
