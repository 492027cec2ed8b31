#!/usr/bin/python3
"""brokers.py SOURCES [clients|workers [SERVICE]]: finds brokers, a line each: the endpoint, and the public key if one was told.

SOURCES are endpoints, file:PATH, dns:NAME[:PORT], lookup:ENDPOINT, etcd://HOST:PORT/PREFIX, auto[:GROUP], env:VARIABLE and home, with commas
between them, as `pointsman help brokers` has it; with home brokers are in the order of the service. With POINTSMAN_REALM (a file that `pointsman keys
make --realm` wrote) strangers' answers to `auto` do not count.
With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY questions to brokers are encrypted. POINTSMAN_ETCD_USER
is NAME:PASSWORD, for an etcd that lets in its users only.
Nothing but PROTOCOL.md, "Several brokers", "Finding brokers", "Lists in etcd" and "Tiers".
"""
import base64, hashlib, hmac, json, os, random, re, select, socket, struct, sys, time
import msgpack, zmq, zmq.utils.z85

PORTS = {"clients": 5570, "workers": 5571}
OWN, BROKER = os.environ.get("POINTSMAN_KEY"), os.environ.get("POINTSMAN_BROKER_KEY")


def key_in(file, half="public"):
    """A key in a file of keys; or itself, if it is no file."""
    lines = open(file).readlines() if os.path.exists(file) else [f"public {file}"]
    return next(line.split()[1] for line in lines if line.startswith(half + " ")).encode()


def digest(number):
    mask = 2**64 - 1
    z = (number + 0x9E3779B97F4A7C15) & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return (z ^ z >> 31) >> 11


def score(service, broker):
    """Of several brokers a service begins with the one of the highest."""
    hash = 0xCBF29CE484222325
    for byte in f"{service}\0{broker}".encode():
        hash = (hash ^ byte) * 0x100000001B3 % 2**64
    return digest(hash)


def written(text):
    """A broker as it is listed: its endpoint, its key, its name."""
    named = re.match("([^ =]*)=((?:tcp|ipc)://.*)", text)
    endpoint, key = ((named[2] if named else text) + " ").split(" ")[:2]
    return endpoint, key, named[1] if named else ""


def name_of(place):
    """By what a broker is known: what it is called, else its host, in which its two endpoints agree."""
    return place[2] or (place[0].rpartition(":")[0] if place[0].startswith("tcp://") else place[0])


def link(endpoint, key):
    """A connection to somebody with this public key; None: not encrypted."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger, socket.ipv6 = 0, True
    if key:
        socket.curve_serverkey = key
        socket.curve_publickey, socket.curve_secretkey = key_in(OWN), key_in(OWN, "secret")
    socket.connect(endpoint)
    return socket


def tag(datagram, realm):
    return hashlib.blake2b(datagram, digest_size=32, key=realm).digest() if realm else b""


def question(nonce, group, realm):
    text = b"PMAN" + bytes([1, 1, bool(realm), 0]) + nonce + struct.pack(">H", len(group.encode())) + group.encode()
    text = text.ljust(1024 - len(tag(b"", realm)), b"\0")
    return text + tag(text, realm)


def answer(datagram, nonce, group, realm):
    """Who answered, and what: the broker, its endpoints, its key. None if it does not count."""
    seal = len(tag(b"", realm))
    text, sealed = datagram[:len(datagram) - seal], datagram[len(datagram) - seal:]
    if text[:24] != b"PMAN" + bytes([1, 2, bool(realm), 0]) + nonce or not hmac.compare_digest(tag(text, realm), sealed):
        return None
    texts, rest = [], text[24:]
    try:
        for _ in range(4):
            size, = struct.unpack_from(">H", rest)
            texts.append(rest[2:2 + size].decode())
            rest = rest[2 + size:]
        key, epoch, lease = struct.unpack(">32sQQ", rest)
    except (struct.error, UnicodeDecodeError):
        return None
    if texts[0] != group or not lease or not "".join(texts).isprintable():
        return None
    # Anybody may say a key; a seal says whose it is.
    known = zmq.utils.z85.encode(key).decode() if realm and any(key) else ""
    return (texts[1], epoch), {"clients": texts[2], "workers": texts[3]}, known


def sockets():
    """One for each interface, by IPv4 and by IPv6, and where to send by it."""
    for index, name in socket.if_nameindex()[:64]:
        for family, group in ((socket.AF_INET, "239.255.80.77"), (socket.AF_INET6, "ff12::504d:414e")):
            try:
                asker = socket.socket(family, socket.SOCK_DGRAM)
                if family == socket.AF_INET:
                    asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"", b"", index))
                    yield asker, name, (group, 5572)
                else:
                    asker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                    yield asker, name, (group, 5572, 0, index)
            except OSError:  # a machine without IPv6
                continue


def reachable(endpoint, name, sender):
    """An endpoint that was told, as it can be used here, and the one that was seen if that is another."""
    if not endpoint.startswith("tcp://"):
        return [endpoint] if endpoint.startswith("ipc://") and name == "lo" else []
    if endpoint.startswith("tcp://[fe80:"):
        endpoint = endpoint.replace("]", f"%{name}]")
    seen = f"tcp://[{sender}]" if ":" in sender else f"tcp://{sender}"
    return [endpoint] if name == "lo" else list(dict.fromkeys([endpoint, seen + endpoint[endpoint.rindex(":"):]]))


def ask_all(group, door):
    """Brokers of a group on the local networks: asks three times if nobody answers."""
    realm, file = b"", os.environ.get("POINTSMAN_REALM")
    if file:
        realm = zmq.utils.z85.decode(next(line.split()[1] for line in open(file) if line.startswith("realm ")))
    askers, found, nonces = {asker: rest for asker, *rest in sockets()}, {}, []
    for patience in (0.2, 0.4, 0.8):
        nonces.append(os.urandom(16))
        for asker, (name, everybody) in askers.items():
            try:
                asker.sendto(question(nonces[-1], group, realm), everybody)
            except OSError:  # this interface carries no such datagrams
                continue
        end = time.monotonic() + patience
        while len(found) < 64 and (left := end - time.monotonic()) > 0:
            for asker in select.select(list(askers), [], [], left)[0]:
                datagram, sender = asker.recvfrom(2048)
                told = next(filter(None, (answer(datagram, nonce, group, realm) for nonce in nonces)), None)
                if told and told[0] not in found:
                    endpoints = reachable(told[1][door], askers[asker][0], sender[0])
                    if endpoints:
                        found[told[0]] = [(endpoint, told[2], told[0][0]) for endpoint in endpoints]
        if found:
            break
    for asker in askers:
        asker.close()
    return [place for places in found.values() for place in places]


def below(broker, key, door):
    """Brokers that are registered with this one, as long as they take somebody."""
    socket, after, found = link(broker, key_in(key or BROKER) if OWN else None), "", []
    while True:
        socket.send_multipart([b"", msgpack.packb({"op": "list", "of": "brokers", "after": after})])
        if not socket.poll(3000):
            break
        page = msgpack.unpackb(socket.recv_multipart()[1])
        found += [(row.get(door, ""), row.get("key", ""), "") for row in page.get("brokers", []) if row.get("state", "alive") == "alive"]
        after = page.get("next", "")
        if not after or len(found) >= 1024:
            break
    socket.close()
    return [place for place in found if place[0] and bool(place[1]) == bool(OWN)]


def listed(kind, what, door):
    """Brokers that are in a list in etcd, as the first member of its cluster says that answers."""
    import urllib.request  # here, since that takes its time
    hosts, _, prefix = what.removeprefix("//").partition("/")
    key = [base64.b64encode(f"/{prefix.rstrip('/')}/brokers{end}".encode()).decode() for end in "/0"]
    name, _, password = os.environ.get("POINTSMAN_ETCD_USER", "").partition(":")
    for host in hosts.split(","):
        def ask(path, question, **headers):
            url = f"{kind.replace('etcd', 'http')}://{host}/v3/{path}"
            asked = urllib.request.Request(url, json.dumps(question).encode(), headers)
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=2) as said:
                return json.load(said)
        try:
            token = name and {"Authorization": ask("auth/authenticate", {"name": name, "password": password})["token"]}
            pairs = ask("kv/range", {"key": key[0], "range_end": key[1], "limit": "64"}, **(token or {})).get("kvs", [])
            rows = [json.loads(base64.b64decode(pair["value"]))["brokers"][0] for pair in pairs]
        except (OSError, ValueError, LookupError, TypeError):  # the next one, then
            continue
        return [(row[door], row.get("key", ""), "") for row in rows if row.get(door) and bool(row.get("key")) == bool(OWN)]
    return []


def look(sources, door):
    """All that the sources say: endpoints, keys, names; None: the word home."""
    places = []
    for source in filter(None, map(str.strip, re.findall(r"\s*etcds?://[^/]*[^,]*|[^,]+", sources))):
        kind, _, what = source.partition(":")
        if kind == "env":
            places += look(os.environ.get(what, ""), door)
        elif source == "home":
            places.append(None)
        elif kind == "file":
            if os.path.exists(what):
                lines = filter(None, map(str.strip, open(what)))
                places += [written(line) for line in lines if line[0] != "#"]
        elif kind == "dns":
            name, _, port = what.partition(":")
            try:
                for family, *_, address in socket.getaddrinfo(name, port or PORTS[door], type=socket.SOCK_STREAM):
                    host = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
                    places.append((f"tcp://{host}:{address[1]}", "", ""))
            except socket.gaierror:
                continue
        elif kind == "lookup":
            places += below(*written(what)[:2], door)
        elif kind in ("etcd", "etcds"):
            places += listed(kind, what, door)
        elif kind == "auto":
            places += ask_all(what or "default", door)
        else:
            places.append(written(source))
    return places


def ordered(places, service, turn=0):
    """Their endpoints, each with its key or an empty text: with home in the order of the service, else beginning with whose turn it is."""
    found = list(dict.fromkeys(filter(None, places)))[:64]
    if None in places:
        found.sort(key=lambda place: -score(service, name_of(place)))
    elif found:
        first = turn % len(found)
        found = found[first:] + found[:first]
    return [place[:2] for place in found]


def find(sources, door="clients", service="", turn=0):
    """The brokers that there are now."""
    return ordered(look(sources, door), service, turn)


def is_there(endpoint, key):
    """Whether a broker answers, within a second."""
    socket = link(endpoint, key_in(key or BROKER) if OWN else None)
    socket.send_multipart([b"", msgpack.packb({"op": "hello"})])
    answers = socket.poll(1000)
    socket.close()
    return bool(answers)


def better(places, service, current, avoided):
    """Of these, with home, one that comes before the current one and is there; None: there is none."""
    for place in ordered(places, service):
        if place[0] == current:
            break
        if place[0] not in avoided and is_there(*place):
            return place
    return None


def rotation(sources, door, service):
    """One broker after the other without end, looked for anew each time; the last one again while none is found."""
    first, turn, last = random.randrange(2**32), 0, None
    while True:
        found = find(sources, door, service, first)
        if found:
            last, turn = found[turn % len(found)], turn + 1
        if last:
            yield last
        else:
            time.sleep(0.2)


if __name__ == "__main__":
    places = find(*sys.argv[1:4])
    for place in places:
        print(*filter(None, place))
    sys.exit(0 if places else f"no broker was found at {sys.argv[1]}")
