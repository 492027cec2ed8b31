#!/usr/bin/env node
// worker.mjs SERVICE [SLOTS]: a whole worker in one file, from PROTOCOL.md alone. It answers with its input reversed.
import { randomUUID, timingSafeEqual } from 'node:crypto'
import { encode, decode } from '@msgpack/msgpack'
import { blake2b } from '@noble/hashes/blake2b'
import { Dealer, Router } from 'zeromq'

const work = async frames => frames.map(frame => [...frame.toString()].reverse().join(''))

const [service, slots = '1'] = process.argv.slice(2)
const name = `node-${randomUUID().slice(0, 8)}`, instance = randomUUID()
const now = () => performance.now()

const direct = new Router({ mandatory: true, linger: 0, sendTimeout: 0 })
await direct.bind('tcp://127.0.0.1:*')

const sessions = new Map() // number: {service, client, id, until, peer once somebody came with the ticket, …}
const over = new Set() // numbers of sessions that are over, the newest thousand
const keys = new Map() // lease: key of its tickets
let completed = 0, busy = 0, progress = 0, clock = 0
let broker, lease, term, interval, goodUntil, beat, sent, last, seen, events, reported

// What a session adds to the digest of the heartbeat.
const contribution = session => {
  const cut = x => BigInt.asUintN(64, x)
  let z = cut(BigInt(session) + 0x9e3779b97f4a7c15n)
  z = cut((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = cut((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return (z ^ (z >> 31n)) >> 11n
}
const held = () => [...sessions].map(([session, { service, client, id, peer }]) =>
  ({ session, service, client, id, open: peer !== undefined }))
const figures = () => ({ lease, seen, completed, busy_ms: Math.round(busy) })

// ---- The broker: lease, assignments, reports

// One message after the other; what cannot be sent is lost, and told again by the next heartbeat.
let outgoing = Promise.resolve()
const tell = (op, fields) => {
  const socket = broker
  return (outgoing = outgoing.then(() => socket.send(['', encode({ op, ...fields })])).catch(() => {}))
}

// Registers, on a new connection.
const begin = () => {
  broker?.close()
  broker = new Dealer({ linger: 0, sendTimeout: 100 })
  broker.connect(process.env.POINTSMAN_WORKERS ?? 'tcp://127.0.0.1:5571')
  lease = 0, interval = 1000, goodUntil = 0, beat = 0, seen = 0, events = [], reported = 0
  last = now()
  sent = new Map([[0, last]]) // what is not answered yet, and when it went; the registration is beat 0
  tell('register', { worker: name, instance, services: [{ service }], slots: Number(slots),
    endpoint: direct.lastEndpoint, sessions: held(), completed, busy_ms: Math.round(busy) })
  listen(broker)
}

const listen = async socket => {
  try {
    for await (const frames of socket) fromBroker(decode(frames.at(-1)))
  } catch (problem) {
    if (socket === broker) throw problem
  }
}

const heartbeat = () => {
  if (sent.size >= (lease ? 2 : 1)) return begin()
  last = now()
  sent.set(++beat, last)
  const digest = Number([...sessions.keys()].reduce((sum, session) => sum ^ contribution(session), 0n))
  report()
  tell('heartbeat', { beat, used: sessions.size, digest, reported, progress, ...figures() })
}

// What happened to sessions and is not applied yet.
const report = () => {
  if (events.length && lease) {
    tell('report', { first: reported - events.length + 1, events: events.slice(0, 256), ...figures() })
  }
}
const note = event => { reported = reported + 1; events.push(event) }
const applied = number => events.splice(0, Math.max(0, events.length - (reported - number)))

const renewed = number => {
  if (!sent.has(number)) return
  const at = sent.get(number)
  for (const other of sent.keys()) if (other <= number) sent.delete(other)
  goodUntil = term < 0 ? Infinity : at + term - Math.max(0.05 * term, 200)
}

const fromBroker = message => {
  if (message.op === 'refused' && message.code !== 'unknown-lease') {
    console.error(`refused: ${message.code} ${message.reason ?? ''}`)
    process.exit(1)
  }
  if (message.op === 'refused') return begin()
  if (message.op === 'registered') {
    lease = message.lease
    term = message.term_ms
    interval = message.heartbeat_ms
    for (const old of [...keys.keys()].slice(0, -1)) keys.delete(old) // keeps the one before
    keys.set(lease, message.key)
    renewed(0)
    console.log(`ready worker=${name} endpoint=${direct.lastEndpoint} service=${service}`)
  }
  if (message.lease !== lease) return // of a lease that is over
  if (message.now_ms !== undefined) clock = message.now_ms - now()
  if (message.applied !== undefined) applied(message.applied)
  if (message.op === 'heard') renewed(message.beat ?? 0)
  if (message.op === 'probe') heartbeat()
  if (message.op === 'sync') tell('holding', { lease, seen, reported, sessions: held() })
  if (message.op === 'assign') {
    message.sessions.forEach(({ session, service, client = '', id = '', ttl_ms = 0 }, index) => {
      if (message.first + index > seen && !sessions.has(session) && !over.has(session)) {
        sessions.set(session, { service, client, id, until: now() + ttl_ms + 1000, calls: 0 })
      }
      seen = Math.max(seen, message.first + index)
    })
  }
}

// ---- Clients, on the direct link

const refusal = (code, reason) => Object.assign(new Error(reason), { code })
const answer = (envelope, body, ...payload) => direct.send([...envelope, encode(body), ...payload]).catch(() => {})
const touch = session => { session.until = now() + session.term }

// Opens the session of the ticket that the message shows, or moves it to this connection.
const admit = (peer, { ticket, client = '' }) => {
  if (ticket.length !== 98) throw refusal('bad-ticket', 'has not the form of a ticket')
  const number = index => Number(Buffer.from(ticket).readBigUInt64BE(2 + 8 * index))
  const [, session, lease, , , issued, ttl, term] = [0, 1, 2, 3, 4, 5, 6, 7].map(number)
  const key = keys.get(lease)
  const seal = key && blake2b(ticket.subarray(0, 66), { key, dkLen: 32 })
  if (!seal || ticket[0] !== 1 || ticket[1] !== 1 || !timingSafeEqual(seal, ticket.subarray(66))) {
    throw refusal('bad-ticket', 'the seal is wrong')
  }
  if (over.has(session)) throw refusal('used-ticket', 'its session is over')
  if (!sessions.get(session)?.peer) {
    if (now() > goodUntil || now() + clock > issued + ttl) {
      throw refusal('expired-ticket', "its time, or this worker's lease, has ended")
    }
    if (!sessions.has(session)) {
      if (sessions.size >= Number(slots)) throw refusal('busy', 'all slots are in use')
      sessions.set(session, { service, client, id: '', calls: 0 })
    }
    Object.assign(sessions.get(session), { term, begun: now() })
    note({ session })
  }
  sessions.get(session).peer = peer
  touch(sessions.get(session))
  return session
}

const release = (number, ending = 'released') => {
  const session = sessions.get(number)
  sessions.delete(number)
  over.add(number)
  if (over.size > 1000) over.delete(over.values().next().value)
  if (session.peer) {
    completed += 1
    busy += now() - session.begun
  }
  note({ session: number, closed: true, ending })
  report()
}

const run = async (envelope, session, number, payload) => {
  session.calls += 1
  let reply = [{ op: 'reply' }]
  try {
    reply.push(...await work(payload))
  } catch (problem) {
    reply = [{ op: 'failed', reason: String(problem).slice(0, 1000) }]
  }
  session.calls -= 1
  progress += 1
  touch(session)
  const [head, ...frames] = reply
  return answer(envelope, { ...head, ...number }, ...frames)
}

const fromClient = frames => {
  const empty = frames.findIndex((frame, index) => index > 0 && frame.length === 0)
  const end = empty > 0 ? empty + 1 : 1
  const envelope = frames.slice(0, end), peer = frames[0].toString('hex')
  let message = {}
  try {
    message = decode(frames[end])
    const { op, ticket } = message
    const session = op === 'open' || op === 'call' && ticket ? admit(peer, message) : message.session
    const found = sessions.get(session)
    if (found?.peer !== peer) throw refusal('unknown-session', 'not open here, or not on this connection')
    if (op === 'call') return run(envelope, found, { session, number: message.number }, frames.slice(end + 1))
    if (op === 'open') answer(envelope, { op: 'opened', session, term_ms: found.term })
    else if (op === 'renew') touch(found), answer(envelope, { op: 'renewed', session, term_ms: found.term })
    else if (op === 'release') release(session), answer(envelope, { op: 'released', session })
    else throw refusal('unknown-op', 'takes open, call, renew, release')
  } catch ({ code, message: reason }) {
    const { op: about = '', session = 0, number = 0 } = message ?? {}
    const known = ['bad-ticket', 'used-ticket', 'expired-ticket', 'busy', 'unknown-session', 'unknown-op']
    answer(envelope, { op: 'refused', about, session, number, code: known.includes(code) ? code : 'bad-message', reason })
  }
}

// ---- Time

process.on('SIGTERM', async () => {
  await tell('leave', { lease, reason: 'stopped' })
  setTimeout(() => process.exit(), 200)
})
setInterval(() => {
  for (const [number, { until, calls, peer }] of sessions) {
    if (now() > until && !calls) release(number, peer ? 'expired' : 'unused')
  }
  if (now() > last + interval) heartbeat()
}, 50)
begin()
for await (const frames of direct) fromClient(frames)
