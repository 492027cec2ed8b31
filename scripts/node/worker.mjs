#!/usr/bin/env node
// worker.mjs SERVICE [SLOTS]: a whole worker, from PROTOCOL.md alone. Answers with its input reversed.
// POINTSMAN_WORKERS may name several brokers, and places to look for some (brokers.mjs): it goes to the next one when its own is gone, and with
// home back to one that comes before, when that is there again and no session is open.
// It takes msgpack bodies only. Work is asynchronous; what computes for long belongs into a thread of its own.
// With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY it encrypts. The module does not
// show a message's User-Id (zeromq.js 6 hands out frames only), so not which key it came under: a ticket is taken if its
// client's key is among those that came, and a thief with another key can use it meanwhile. Workers in C++ and Python cannot
// be fooled so.
import { randomUUID, timingSafeEqual } from 'node:crypto'
import { setTimeout as pass } from 'node:timers/promises'
import { encode, decode } from '@msgpack/msgpack'
import { blake2b } from '@noble/hashes/blake2b'
import { Dealer, Router } from 'zeromq'
import { better, brokerKey, digest, find, keyIn, lookAll, own } from './brokers.mjs'

const work = async frames => frames.map(frame => [...frame.toString()].reverse().join(''))

const [service, slots = '1'] = process.argv.slice(2)
const name = `node-${randomUUID().slice(0, 8)}`, instance = randomUUID()
const now = () => performance.now()

// Answers libzmq's question (ZAP, RFC 27) whether a key may come: any may.
const came = new Set(['0'.repeat(64)]) // keys, in hexadecimal, the newest thousand; without encryption none
if (own) {
  const door = new Router()
  await door.bind('inproc://zeromq.zap.01')
  const answerDoor = async () => {
    for await (const [peer, empty, version, id, , , , mechanism, key] of door) {
      const good = mechanism.toString() === 'CURVE'
      if (good) came.add(key.toString('hex'))
      if (came.size > 1000) came.delete(came.values().next().value)
      await door.send([peer, empty, version, id, good ? '200' : '400', '', '', ''])
    }
  }
  answerDoor()
  came.clear()
}

const direct = new Router({ mandatory: true, linger: 500, sendTimeout: 0,
  ...own && { curveServer: true, curveSecretKey: keyIn(own, 'secret'), zapDomain: 'direct' } })
await direct.bind('tcp://127.0.0.1:*')

const sessions = new Map() // by number; `peer` is the connection that showed the ticket: the session is open
const over = new Set() // numbers of sessions that are over, the newest thousand
const keys = new Map() // by lease: what seals its tickets
let completed = 0, busy = 0, progress = 0, clock = 0, draining = false, leaving
let broker, lease, term, interval, next, goodUntil, beat, sent, seen, events, reported

const fingerprint = (kind, of) =>
  Number(Buffer.from(blake2b(`pointsman ${kind}\0${of}`, { dkLen: 32 })).readBigUInt64BE() >> 11n)
const held = () => [...sessions].map(([session, { service, client, id, key, peer }]) =>
  ({ session, service, client, id, key, open: peer !== undefined }))
const figures = () => ({ lease, seen, completed, busy_ms: Math.round(busy) })

// ---- The broker: the lease, who comes, what happened

// One message after the other. What cannot be sent is lost; heartbeats tell it again.
let outgoing = Promise.resolve()
const tell = (op, fields = {}) => {
  const socket = broker
  outgoing = outgoing.then(() => socket.send(['', encode({ op, ...fields })])).catch(() => {})
  return outgoing
}

// Looks for brokers; those that it knows stay while there are none.
let brokers = []
const sources = process.env.POINTSMAN_WORKERS ?? 'tcp://127.0.0.1:5571'
const first = Math.floor(Math.random() * 2 ** 32)
const look = async () => {
  const found = await find(sources, 'workers', service, first)
  if (found.length) brokers = found
}
await look()
while (!brokers.length) await pass(200), await look()
let place, turn = 0
let move // where to, until when, after which heartbeat; `left`: it has said that it leaves, and waits for the answer until then
const avoided = new Map() // endpoints that a move was to go to, and until when
// Registers, on a new connection: with the same broker if there was a lease, else with the next one, or the one given.
const begin = given => {
  if (broker) broker.linger = 0, broker.close() // what it was not told it is not to hear when this worker is elsewhere
  move = undefined
  if (given) place = given
  else if (!lease) place = brokers[turn++ % brokers.length], look()
  const { endpoint, key } = place
  broker = new Dealer({ linger: 500, ipv6: true, sendTimeout: 100, ...own && {
    curveServerKey: keyIn(key || brokerKey), curvePublicKey: keyIn(own), curveSecretKey: keyIn(own, 'secret') } })
  broker.connect(endpoint)
  lease = 0, interval = 1000, goodUntil = 0, beat = 0, seen = 0, events = [], reported = 0
  next = now() + interval
  sent = new Map([[0, now()]]) // what is not answered yet, and when it went; the registration is beat 0
  tell('register', { worker: name, instance, services: [{ service }], slots: Number(slots), draining, completed,
    busy_ms: Math.round(busy), endpoint: direct.lastEndpoint, key: own ? keyIn(own) : '', sessions: held() })
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
  next = now() + interval
  sent.set(++beat, now())
  const together = [...sessions.keys()].reduce((sum, session) => sum ^ digest(session), 0n)
  report()
  tell('heartbeat', { beat, used: sessions.size, digest: Number(together), reported, progress, draining: draining || !!move, ...figures() })
}

// What happened to sessions and is not applied yet.
const report = () => {
  if (events.length && lease) {
    tell('report', { first: reported - events.length + 1, events: events.slice(0, 256), ...figures() })
  }
}
const note = event => { reported += 1; events.push(event) }

const answered = number => {
  const at = sent.get(number)
  if (at === undefined) return
  for (const other of sent.keys()) if (other <= number) sent.delete(other)
  goodUntil = term < 0 ? Infinity : at + term - Math.max(0.05 * term, 200)
}

const fromBroker = message => {
  const { op, session } = message
  if (op === 'refused' && ['bad-message', 'bad-endpoint', 'wrong-version'].includes(message.code)) {
    console.error(`refused: ${message.code}, ${message.reason ?? ''}`)
    process.exit(1)
  }
  if (op === 'refused' && message.code === 'unknown-lease') begin()
  if (op === 'registered') {
    ({ lease, term_ms: term, heartbeat_ms: interval } = message)
    next = now() + interval
    for (const old of [...keys.keys()].slice(0, -1)) keys.delete(old) // keeps the one before
    keys.set(lease, message.key)
    answered(0)
    avoided.delete(place.endpoint)
    console.log(`ready worker=${name} endpoint=${direct.lastEndpoint} service=${service}`)
  }
  if (['registered', 'heard', 'assign'].includes(op)) {
    if (message.lease !== lease) return // one that is over
    clock = (message.now_ms ?? 0) - now()
    events.splice(0, Math.max(0, events.length - (reported - (message.applied ?? 0))))
  }
  if (op === 'heard') {
    answered(message.beat ?? 0)
    if (message.next_ms) next = now() + Math.min(message.next_ms, 1.5 * interval)
  }
  if (op === 'assign') {
    message.sessions.forEach(({ session, service, client = '', id = '', key = Buffer.of(), ttl_ms = 0 }, index) => {
      if (message.first + index > seen && !sessions.has(session) && !over.has(session)) {
        sessions.set(session, { service, client, id, key, until: now() + ttl_ms + 1000, calls: [] })
      }
      seen = Math.max(seen, message.first + index)
    })
  }
  if (op === 'release') close(session, 'released')
  if (op === 'renew') touch(session, message.term_ms)
  if (op === 'sync') tell('holding', { lease, seen, reported, sessions: held() })
  if (op === 'probe') heartbeat()
  if (op === 'drain') drain(message.mode ?? 'drain')
  if (op === 'left' && move?.left) begin(move.to)
}

const drain = mode => {
  draining = mode !== 'resume'
  if (mode === 'leave' || mode === 'forget') leaving ??= now()
  heartbeat()
}

// ---- Home: back to a broker that comes before this one

// Looks every few seconds whether such a broker is there, and once a minute which there are.
const lookAround = async () => {
  let places = [], anew = 0
  for (;;) {
    await pass(3000 + 1500 * Math.random())
    for (const [endpoint, until] of avoided) if (until < now()) avoided.delete(endpoint)
    const here = place.endpoint
    if (now() > anew) {
      const found = await lookAll(sources, 'workers').catch(() => {})
      if (!found) continue
      places = found, anew = now() + 60_000
    }
    if (!places.includes(null)) return
    const to = await better(places, service, here, avoided).catch(() => {}) // another time, then
    if (!to || move || draining || !lease || place.endpoint !== here) continue
    avoided.set(to.endpoint, now() + 300_000)
    move = { to, until: now() + 10_000 }
    heartbeat()
    if (move) move.after = beat
  }
}

// Leaves when the broker knows that it is to, and everything is over here.
const goOn = () => {
  if (draining) return move = undefined, heartbeat()
  if (move.left) return now() > move.left && begin(move.to)
  if (now() > move.until) return move = undefined, heartbeat()
  if (sessions.size || !move.after || sent.has(move.after)) return
  move.left = now() + 1000
  next = move.left + interval
  tell('leave', { lease, reason: 'moves' })
}

// ---- Clients, on the direct link

const refusal = (code, reason) => Object.assign(new Error(reason), { refusal: code })
const answer = (envelope, body, ...payload) => direct.send([...envelope, encode(body), ...payload]).catch(() => {})

const fromClient = frames => {
  const empty = frames.slice(0, 8).findIndex((frame, index) => index > 0 && frame.length === 0)
  const end = empty > 0 ? empty + 1 : 1
  const envelope = frames.slice(0, end), peer = frames[0].toString('hex')
  let message = {}
  try {
    message = decode(frames[end])
    const { op, ticket, number } = message
    if (typeof op !== 'string') throw refusal('bad-message', 'a body is a map with `op`')
    if (!['open', 'call', 'abandon', 'renew', 'release'].includes(op)) {
      throw refusal('unknown-op', 'takes open, call, abandon, renew and release')
    }
    const session = op === 'open' || op === 'call' && ticket?.length ? admit(peer, message) : message.session
    const found = sessions.get(session)
    if (op !== 'release' && !found?.peer) throw refusal('unknown-session', 'it is not open here')
    if (found && found.peer !== peer) throw refusal('not-yours', 'it is bound to another connection')
    touch(session, message.term_ms)
    if (op === 'call') call(found, session, { number, envelope, payload: frames.slice(end + 1) })
    if (op === 'abandon') abandon(found, session, number)
    if (op === 'release') close(session, 'released'), answer(envelope, { op: 'released', session })
    if (op === 'open') answer(envelope, { op: 'opened', session, term_ms: found.term })
    if (op === 'renew') answer(envelope, { op: 'renewed', session, term_ms: found.term })
  } catch ({ refusal: code = 'bad-message', message: reason }) {
    const { op: about = '', session = 0, number = 0 } = message ?? {}
    answer(envelope, { op: 'refused', about, session, number, code, reason })
  }
}

// Opens the session of the ticket that the message shows, or moves it to this connection.
const admit = (peer, { ticket, client = '' }) => {
  if (ticket.length !== 130 || ticket[0] !== 2 || ticket[1] !== 1) {
    throw refusal('bad-ticket', 'it has not the form of a ticket')
  }
  const [, number, of, holder, , issued, ttl, term] =
    Array.from({ length: 8 }, (_, index) => Number(Buffer.from(ticket).readBigUInt64BE(2 + 8 * index)))
  const key = keys.get(of)
  if (!key) throw refusal('foreign-ticket', 'it is for another worker')
  if (!timingSafeEqual(blake2b(ticket.subarray(0, 98), { key, dkLen: 32 }), ticket.subarray(98))) {
    throw refusal('forged-ticket', 'its seal is wrong')
  }
  if (holder !== fingerprint('client', client) || !came.has(Buffer.from(ticket.subarray(66, 98)).toString('hex'))) {
    throw refusal('stolen-ticket', "it is another client's")
  }
  if (over.has(number)) throw refusal('used-ticket', 'its session is over')
  if (!sessions.get(number)?.peer) {
    if (now() + clock > issued + ttl) throw refusal('expired-ticket', 'it was shown too late')
    if (now() > goodUntil) throw refusal('busy', 'this worker has lost touch with its broker')
    if (!sessions.has(number)) {
      if (sessions.size >= Number(slots)) throw refusal('busy', 'all slots are in use')
      sessions.set(number, { service, client, id: '', key: own ? ticket.subarray(66, 98) : Buffer.of(), calls: [] })
    }
    Object.assign(sessions.get(number), { term, begun: now() })
    note({ session: number })
  }
  sessions.get(number).peer = peer
  return number
}

const touch = (number, term) => {
  const session = sessions.get(number)
  if (session?.peer) {
    session.term = term || session.term
    session.until = now() + session.term
  }
}

const close = (number, ending) => {
  const session = sessions.get(number)
  if (!session) return
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

// ---- Calls: those of one session one after another

const call = (session, number, one) => {
  if (session.calls.some(known => known.number === one.number)) return // the same again
  session.calls.push(one)
  if (session.calls.length === 1) run(session, number)
}

const abandon = (session, number, call) => {
  const place = session.calls.findIndex(known => known.number === call)
  if (place < 0) return
  answer(session.calls[place].envelope, { op: 'failed', session: number, number: call, code: 'cancelled' })
  if (place > 0) session.calls.splice(place, 1) // the first is at work; its answer is ignored
}

const run = async (session, number) => {
  for (; session.calls.length; session.calls.shift()) {
    const { number: call, envelope, payload } = session.calls[0]
    let head = { op: 'reply' }, frames = []
    try {
      frames = await work(payload)
    } catch (problem) {
      head = { op: 'failed', reason: String(problem).slice(0, 1000) }
    }
    progress += 1
    if (!sessions.has(number)) return
    touch(number)
    answer(envelope, { ...head, session: number, number: call }, ...frames)
  }
}

// ---- Time

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => drain('leave'))
setInterval(async () => {
  for (const [number, { until, calls, peer }] of sessions) {
    if (now() > until && !calls.length) close(number, peer ? 'expired' : 'unused')
  }
  if (now() > next) heartbeat()
  if (move) goOn()
  if (leaving !== undefined && (!sessions.size || now() > leaving + 5000)) {
    await tell('leave', { lease, reason: 'stopped' })
    setTimeout(() => process.exit(), 100)
  }
}, 50)
begin()
lookAround()
for await (const frames of direct) fromClient(frames)
