#!/usr/bin/env node
// brokers.mjs SOURCES [clients|workers [SERVICE]]: finds brokers, a line each: the endpoint, and the public key if one was told.
// SOURCES are endpoints, file:PATH, dns:NAME[:PORT], lookup:ENDPOINT, etcd://HOST:PORT/PREFIX, auto[:GROUP], env:VARIABLE and home, with commas
// between them, as `pointsman help brokers` has it; with home brokers are in the order of the service. With POINTSMAN_REALM (a file that `pointsman
// keys make --realm` wrote) strangers' answers to `auto` do not count. With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and
// POINTSMAN_BROKER_KEY questions to brokers are encrypted. POINTSMAN_ETCD_USER is NAME:PASSWORD, for an etcd that lets in its users only.
// Nothing but PROTOCOL.md, "Several brokers", "Finding brokers", "Lists in etcd" and "Tiers".
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { pathToFileURL } from 'node:url'
import { setTimeout as pass } from 'node:timers/promises'
import { encode, decode } from '@msgpack/msgpack'
import { blake2b } from '@noble/hashes/blake2b'
import { Dealer } from 'zeromq'

export const { POINTSMAN_KEY: own, POINTSMAN_BROKER_KEY: brokerKey } = process.env

// A key in a file of keys; or itself, if it is no file.
export const keyIn = (file, half = 'public') =>
  existsSync(file) ? readFileSync(file, 'utf8').match(new RegExp(`^${half} (\\S+)`, 'm'))[1] : file

const cut = x => BigInt.asUintN(64, x)

export const digest = number => {
  let z = cut(BigInt(number) + 0x9e3779b97f4a7c15n)
  z = cut((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = cut((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return (z ^ (z >> 31n)) >> 11n
}

// Of several brokers a service begins with the one of the highest.
const score = (service, broker) => digest(Buffer.from(`${service}\0${broker}`).reduce(
  (hash, byte) => cut((hash ^ BigInt(byte)) * 0x100000001b3n), 0xcbf29ce484222325n))

// By what a broker is known: what it is called, else its host, in which its two endpoints agree.
const nameOf = ({ name, endpoint }) => name || (endpoint.startsWith('tcp://') ? endpoint.replace(/:\d+$/, '') : endpoint)

// A connection to somebody with this public key; without one it is not encrypted.
export const link = (endpoint, key) => {
  const curve = key && { curveServerKey: key, curvePublicKey: keyIn(own), curveSecretKey: keyIn(own, 'secret') }
  const socket = new Dealer({ linger: 0, ipv6: true, receiveTimeout: 10_000, sendTimeout: 0, ...curve })
  socket.connect(endpoint)
  return socket
}

const ports = { clients: 5570, workers: 5571 }
const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'
const fromZ85 = text => Buffer.concat(text.match(/.{5}/g).map(five => {
  const four = Buffer.alloc(4)
  four.writeUInt32BE([...five].reduce((sum, letter) => sum * 85 + letters.indexOf(letter), 0))
  return four
}))
const toZ85 = bytes => Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32BE(4 * i))
  .map(four => [4, 3, 2, 1, 0].map(power => letters[Math.floor(four / 85 ** power) % 85]).join('')).join('')

const tagOf = (datagram, realm) => realm ? Buffer.from(blake2b(datagram, { dkLen: 32, key: realm })) : Buffer.alloc(0)

const question = (nonce, group, realm) => {
  const text = Buffer.alloc(realm ? 1024 - 32 : 1024)
  text.set([...Buffer.from('PMAN'), 1, 1, realm ? 1 : 0, 0, ...nonce, 0, Buffer.byteLength(group), ...Buffer.from(group)])
  return Buffer.concat([text, tagOf(text, realm)])
}

// Who answered, and what: the broker, its endpoints, its key. Nothing if it does not count.
const answer = (datagram, nonces, group, realm) => {
  const end = datagram.length - (realm ? 32 : 0)
  const text = datagram.subarray(0, Math.max(end, 0))
  const head = Buffer.from([...Buffer.from('PMAN'), 1, 2, realm ? 1 : 0, 0])
  if (text.length < 24 || !text.subarray(0, 8).equals(head) || !timingSafeEqual(tagOf(text, realm), datagram.subarray(end))) return
  if (!nonces.some(nonce => nonce.equals(text.subarray(8, 24)))) return
  const texts = []
  let at = 24
  for (let i = 0; i < 4; i++) {
    if (at + 2 > text.length) return
    const size = text.readUInt16BE(at)
    texts.push(text.subarray(at + 2, at + 2 + size).toString())
    at += 2 + size
  }
  if (text.length !== at + 48 || texts[0] !== group || !text.readBigUInt64BE(at + 40) || /\p{Cc}|\ufffd/u.test(texts.join(''))) return
  // Anybody may say a key; a seal says whose it is.
  const key = text.subarray(at, at + 32)
  return { identity: `${texts[1]} ${text.readBigUInt64BE(at + 32)}`, name: texts[1], clients: texts[2], workers: texts[3],
    key: realm && key.some(byte => byte) ? toZ85(key) : '' }
}

// An endpoint that was told, as it can be used here, and the one that was seen if that is another.
const reachable = (endpoint, name, sender) => {
  if (!endpoint.startsWith('tcp://')) return endpoint.startsWith('ipc://') && name === 'lo' ? [endpoint] : []
  if (endpoint.startsWith('tcp://[fe80:')) endpoint = endpoint.replace(']', `%${name}]`)
  const seen = `tcp://${sender.includes(':') ? `[${sender}]` : sender}${endpoint.slice(endpoint.lastIndexOf(':'))}`
  return name === 'lo' ? [endpoint] : [...new Set([endpoint, seen])]
}

// One for each address, and where to send by it.
const openSockets = async () => {
  const all = Object.entries(networkInterfaces()).slice(0, 64)
    .flatMap(([name, addresses]) => addresses.map(({ address, family, scopeid }) => ({ name, address, six: family === 'IPv6', scopeid })))
  const open = await Promise.all(all.map(async ({ name, address, six, scopeid }) => {
    const socket = createSocket(six ? 'udp6' : 'udp4')
    try {
      socket.bind({ address: six && scopeid ? `${address}%${name}` : address })
      await once(socket, 'listening')
      socket.setMulticastInterface(six ? `::%${name}` : address)
      socket.on('error', () => {})
      return { socket, name, everybody: six ? `ff12::504d:414e%${name}` : '239.255.80.77' }
    } catch {
      socket.close()
    }
  }))
  return open.filter(Boolean)
}

// Brokers of a group on the local networks: asks three times if nobody answers.
const askAll = async (group, door) => {
  const file = process.env.POINTSMAN_REALM
  const realm = file && fromZ85(readFileSync(file, 'utf8').match(/^realm (\S+)/m)[1])
  const found = new Map(), nonces = [], askers = await openSockets()
  for (const { socket, name } of askers) {
    socket.on('message', (datagram, sender) => {
      const told = answer(datagram, nonces, group, realm)
      if (!told || found.has(told.identity) || found.size === 64) return
      const endpoints = reachable(told[door], name, sender.address)
      if (endpoints.length) found.set(told.identity, endpoints.map(endpoint => ({ endpoint, key: told.key, name: told.name })))
    })
  }
  for (const patience of [200, 400, 800]) {
    nonces.push(randomBytes(16))
    // An interface may carry no such datagrams.
    for (const { socket, everybody } of askers) socket.send(question(nonces.at(-1), group, realm), 5572, everybody, () => {})
    await pass(patience)
    if (found.size) break
  }
  for (const { socket } of askers) socket.close()
  return [...found.values()].flat()
}

// A broker as it is listed.
const written = line => {
  const [, name = '', text] = line.match(/^(?:([^ =]*)=(?=(?:tcp|ipc):\/\/))?(.*)$/)
  return { endpoint: text.split(' ')[0], key: text.split(' ')[1] ?? '', name }
}

// Brokers that are registered with this one, as long as they take somebody.
const below = async ({ endpoint, key }, door) => {
  const socket = link(endpoint, own && keyIn(key || brokerKey)), found = []
  socket.receiveTimeout = 3000
  for (let after = ''; found.length < 1024;) {
    await socket.send(['', encode({ op: 'list', of: 'brokers', after })]).catch(() => {})
    const [, body] = await socket.receive().catch(() => [])
    if (!body) break
    const { brokers = [], next } = decode(body)
    for (const { state = 'alive', key: its = '', ...row } of brokers) {
      if (state === 'alive' && row[door] && !its === !own) found.push({ endpoint: row[door], key: its })
    }
    if (!(after = next)) break
  }
  socket.close()
  return found
}

// Brokers that are in a list in etcd, as the first member of its cluster says that answers.
const listed = async (kind, what, door) => {
  const [, hosts, prefix] = what.match(/^\/\/([^/]*)\/?(.*?)\/*$/)
  const [key, end] = ['/', '0'].map(last => Buffer.from(`/${prefix}/brokers${last}`).toString('base64'))
  const [, name, password] = (process.env.POINTSMAN_ETCD_USER ?? '').match(/^([^:]*):?(.*)$/)
  for (const host of hosts.split(',')) {
    const ask = async (path, question, headers) => {
      const url = `${kind.replace('etcd', 'http')}://${host}/v3/${path}`
      return (await fetch(url, { method: 'POST', body: JSON.stringify(question), headers, signal: AbortSignal.timeout(2000) })).json()
    }
    try {
      const user = name ? { authorization: (await ask('auth/authenticate', { name, password })).token } : {}
      const { kvs = [] } = await ask('kv/range', { key, range_end: end, limit: '64' }, user)
      const rows = kvs.map(({ value }) => JSON.parse(Buffer.from(value, 'base64')).brokers[0])
      return rows.filter(row => row[door] && !row.key === !own).map(row => ({ endpoint: row[door], key: row.key ?? '' }))
    } catch {
      continue // the next one, then
    }
  }
  return []
}

const look = async (source, door) => {
  const kind = source.split(':', 1)[0], what = source.slice(kind.length + 1)
  if (kind === 'env') return lookAll(process.env[what] ?? '', door)
  if (/^etcds?$/.test(kind)) return listed(kind, what, door)
  if (source === 'home') return [null]
  if (kind === 'lookup') return below(written(what), door)
  if (kind === 'auto') return askAll(what || 'default', door)
  if (kind === 'file') {
    const lines = existsSync(what) ? readFileSync(what, 'utf8').split('\n').map(line => line.trim()) : []
    return lines.filter(line => line && line[0] !== '#').map(written)
  }
  if (kind === 'dns') {
    const [name, port = ports[door]] = what.split(':')
    const addresses = await lookup(name, { all: true }).catch(() => [])
    return addresses.map(({ address, family }) => written(`tcp://${family === 6 ? `[${address}]` : address}:${port}`))
  }
  return [written(source)]
}

// All that the sources say; null: the word home.
export const lookAll = async (sources, door) => {
  const found = []
  for (const source of (sources.match(/\s*etcds?:\/\/[^/]*[^,]*|[^,]+/g) ?? []).map(text => text.trim()).filter(Boolean)) found.push(...await look(source, door))
  return found
}

// Their endpoints, each with its key or an empty text: with home in the order of the service, else beginning with whose turn it is.
const ordered = (places, service, turn = 0) => {
  const found = [...new Map(places.filter(Boolean).map(place => [place.endpoint, place])).values()].slice(0, 64)
  const scores = new Map(found.map(place => [place, score(service, nameOf(place))]))
  if (places.includes(null)) return found.sort((a, b) => Number(scores.get(b) - scores.get(a)))
  return [...found.slice(turn % found.length), ...found.slice(0, turn % found.length)]
}

// The brokers that there are now.
export const find = async (sources, door = 'clients', service = '', turn = 0) =>
  ordered(await lookAll(sources, door), service, turn)

// Whether a broker answers, within a second.
const isThere = async ({ endpoint, key }) => {
  const socket = link(endpoint, own && keyIn(key || brokerKey))
  socket.receiveTimeout = 1000
  try {
    await socket.send(['', encode({ op: 'hello' })])
    await socket.receive()
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}

// Of these, with home, one that comes before the current one and is there.
export const better = async (places, service, current, avoided) => {
  for (const place of ordered(places, service)) {
    if (place.endpoint === current) return
    if (!avoided.has(place.endpoint) && await isThere(place)) return place
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [sources, door, service] = process.argv.slice(2)
  const places = await find(sources, door, service)
  for (const { endpoint, key } of places) console.log(`${endpoint} ${key}`.trim())
  if (!places.length) console.error(`no broker was found at ${sources}`), process.exit(1)
}
