// Help: what is true of all commands.

#include "clients/program/help.hpp"

#include <array>
#include <utility>

namespace pointsman::program {
namespace {

constexpr std::string_view exit_codes = R"(Exit codes of pointsman

    0  done
    1  the work failed: the worker's program ended with an error; the message has its exit code and the end of its stderr
    2  the command line, the environment, the configuration file or a file of keys is wrong
    3  nobody answers: at the broker's endpoint, or it does not let this key in, or the worker died and none took its place;
       the message says which
    4  not found: nobody offers the service, no worker matches, or there is no such worker, session or request
    5  no worker was free, none came free within --wait, or the queue is full
    6  refused for any other reason; the message names it
    7  the bound of a load test was missed (`pointsman load --bound`, `--search`)
  124  not done within --timeout or --limit
  125  pointsman itself could not do its part, for example write its output
  126  the command of `pointsman run` cannot be executed
  127  the command of `pointsman run` was not found
  128+n  the command of `pointsman run`, or pointsman itself, died of signal n; 130: Ctrl-C

`pointsman up` ends with 0 when it was stopped in good order, 2 if its broker cannot run as it is configured, 124 if something
had to be killed at the end, 125 if another one has its folder or what starts its processes was lost. `pointsman roll` ends with
1 if a new process did not become ready; the old ones go on then. `pointsman ps` and `roll` end with 3 if there is no supervisor.

`pointsman db` ends with 1 if `check` found something wrong, 2 if the database is another program's or of another version, 4 if there is
no such record, 125 if the database cannot be read or written (damaged, full, in use); nothing was changed then.

`pointsman load` ends with 1 if requests, answers or sessions were lost or doubled, as its checks say; stopped by a signal it prints
what it has so far.

`pointsman run` and `pointsman worker` otherwise pass on what their commands and the broker say. With --json the error on stderr
is {"error":{"code":…,"exit":…,"message":…}}.
)";

constexpr std::string_view environment = R"(Environment of pointsman

  POINTSMAN_BROKER    the clients' listener of the broker, for all client commands (tcp://127.0.0.1:5570)
  POINTSMAN_WORKERS   the workers' listener of the broker, for `pointsman worker` (tcp://127.0.0.1:5571)
                      of several brokers: see `pointsman help brokers`
  POINTSMAN_KEY       file of one's own key pair, for client commands and `pointsman worker`; not for `pointsman broker`
  POINTSMAN_BROKER_KEY  the broker's public key, or a file that has it; goes with POINTSMAN_KEY
  POINTSMAN_REALM     file of a realm's key, by which brokers that were looked for are known
  POINTSMAN_ETCD_USER  NAME:PASSWORD, for an etcd that lets in its users only; also for brokers with --membership
  POINTSMAN_CORE_DUMPS  1: core dumps are made although there are secrets in them
  POINTSMAN_CONFIG    the configuration file; without it ~/.config/pointsman.toml, else /etc/pointsman.toml, if there
  NOTIFY_SOCKET, WATCHDOG_USEC   where broker and worker say how they are (sd_notify), and how often; systemd sets them
  POINTSMAN_TIMEOUT   how long a whole command may take, like --timeout
  NO_COLOR            no colours on a terminal
  COLUMNS             width of the terminal

A flag goes before the environment, that before the configuration file, that before the default. `pointsman config show` says
what is in force and why.

`pointsman up` gives its processes POINTSMAN_CONFIG, POINTSMAN_BROKER, POINTSMAN_WORKERS, NOTIFY_SOCKET, WATCHDOG_USEC and
POINTSMAN_PROCESS, their name.

`pointsman run` gives its command POINTSMAN_ENDPOINT, POINTSMAN_TICKET (base64), POINTSMAN_SESSION, POINTSMAN_WORKER,
POINTSMAN_SERVICE and POINTSMAN_CLIENT, the name that the ticket is made out to.
)";

constexpr std::string_view configuration = R"(Configuration file of pointsman (TOML)

  [broker]
  clients = "tcp://127.0.0.1:5570"
  workers = "tcp://127.0.0.1:5571"
  key = "/etc/pointsman/broker.key" # encrypts; made by `pointsman keys make`
  allowed = "/etc/pointsman/allowed.keys"  # who may come; made by `pointsman keys allow`
  group = "lab"                     # found by `--broker auto:lab`; left out: not to be found
  realm = "/etc/pointsman/realm.key" # found by those only who have this, too
  database = "/var/lib/pointsman/known.db" # or "postgresql://HOST/NAME"; `pointsman db --help`
  lease = "10s"                     # and every other setting of `pointsman broker --help`, with _ for -

  [[service]]
  name = "zip"                      # "*": services that are not listed
  policy = "least-connections"      # or weighted-round-robin, least-busy, shortest-expected-delay, least-recent, two-choices, random
  queue_max = 10000
  offers_max = 100000               # workers; further ones are refused, and those that say `home` go to another broker
  slow_start = "0"
  aging = "5s"
  hang = "0"

  [client]
  broker = "tcp://127.0.0.1:5570"
  key = "/etc/pointsman/client.key"
  broker_key = "/etc/pointsman/broker.key.pub"
  timeout = "forever"
  overflow = "0"                    # a request that waits at a broker for longer goes to the next; 0: it stays
  attributes = "team=a"             # what it says of itself; `pointsman help conditions`

  [worker]
  broker = "tcp://127.0.0.1:5571"
  key = "/etc/pointsman/worker.key"
  broker_key = "/etc/pointsman/broker.key.pub"
  attributes = "gpu=h200 mem=64G region={eu, us}"
  accepts = "team in {a, b}"        # clients of which this is true

  [up]                              # `pointsman up` runs a broker, and what follows, and restarts whichever fails;
                                    # with keys it is the [client] of that, and needs the role admin
  stop = "10s"                      # for everything to end in good order
  watchdog = "10s"                  # a broker without a sign of life for so long is killed
  folder = "/run/pointsman"         # for its sockets; left out: one that goes with this file

  [[process]]
  name = "zip"
  command = ["pointsman", "worker", "--service", "zip", "--", "gzip", "-c"]
  environment = {LANG = "C"}
  service = "zip"                   # left out: as the command says, if it is a `pointsman worker`
  min = 1                           # processes at any time
  max = 4                           # and while requests wait; left out: as min
  idle = "1m"                       # nobody used the service for so long: back to min
  notify = true                     # it says when it is ready (sd_notify); left out: only a `pointsman worker` does
  ready = "30s"                     # not ready in time: killed
  watchdog = "10s"                  # no sign of life in time, once there was one: killed
  hang = "0"                        # calls without progress for so long: killed; 0: never
  drain = "1m"                      # for its sessions to end before it is replaced (`pointsman roll`) or rests

Durations are a number and a unit: 250ms, 5s, 2m, 1h, 1d. `pointsman config check FILE` names every mistake with its line.
)";

constexpr std::string_view brokers =
    R"(Where brokers are: what --broker, POINTSMAN_BROKER, POINTSMAN_WORKERS and `broker` in the configuration file may say

  tcp://10.0.0.1:5570          a broker; ipc:///run/clients is one, too
  "tcp://10.0.0.1:5570 KEY"    with its public key, in place of --broker-key
  file:/etc/pointsman/brokers  a file that has such a line for each; read anew when it changes, `#` begins a comment
  dns:brokers.example.org      every address of a name; with :PORT unless it is 5570, for workers 5571
  lookup:tcp://10.0.0.1:5570   the brokers that are registered with that one (`pointsman uplink`), asked anew every 5 s
  etcd://10.0.0.1:2379/fleet   the brokers that say --membership etcd://… with that; several HOST:PORT with commas; etcds:// by TLS
  auto, auto:GROUP             brokers that say --group default, or --group GROUP, and answer on the local networks
  env:VARIABLE                 what an environment variable says, any of the above
  home                         no place: each service has an order of its own, see below

With commas between them, all kinds at once: tcp://10.0.0.1:5570,dns:brokers.example.org. A program knows at most 64 brokers at a time.

Client commands and the client library ask the brokers in sequence, a request each, and go to the next one when one is silent, gone
or has no worker. A worker is registered with one of them, and goes to the next one when that is gone for more than a moment.
`pointsman ls`, `status` and so on show what one broker knows.

With `home` in the list, as in home,tcp://10.0.0.1:5570,tcp://10.0.0.2:5570, each service has an order of the brokers, the same for
everybody who knows the same ones (rendezvous hashing). A worker registers with the first of its service (the first that it offers) that is
there and takes it, and goes back to one before that as soon as that is there again, when it holds no session. Client commands and the
library begin there, too. So a service lives at one broker until that one has `offers_max` workers of it, then at the next one as well.
Say `home` for workers and clients. A request that waits at another broker than the first asks there again after 5 s, since its workers may
have gone back. A broker is known by its host, so several on one host need names, the same for both listeners:
home,a=tcp://10.0.0.1:5570,b=tcp://10.0.0.1:5580; by `auto` by what `pointsman discover` calls it.

Whom `lookup` finds: pointsman ls brokers --broker tcp://10.0.0.1:5570. The endpoint may have a public key behind a space, as above.
Workers go where uplinks say with --workers-endpoint. With keys, a worker's key needs the role client, too, to ask.

Whom `etcd` finds: etcdctl get --prefix /fleet/brokers/. With keys, whoever may write there says whose public keys are believed.
Where etcd lets in its users only, POINTSMAN_ETCD_USER says NAME:PASSWORD: a user who may read there, of brokers one who may write too.

Whom `auto` finds: pointsman discover --group GROUP --trace. It asks by IPv4 and IPv6 on each interface, also the loopback one, and
says what left, who answered and who is not believed; if nobody did, which groups there are. Client commands and workers say with
--trace what each place to look at said. Questions go to UDP port 5572, and no further than the local networks. A broker answers for what can be reached from where the question came; one on
loopback addresses is found on its own machine only. With --realm FILE, a key that `pointsman keys make --realm FILE` made and all of
them have, strangers are neither answered nor believed, and the broker's public key needs not be said with --broker-key.
)";

constexpr std::string_view conditions = R"(Attributes and conditions of pointsman

A worker says what it is, a request says which workers it wants:

  pointsman worker --service train --attribute gpu=h200 --attribute mem=64G --attribute 'region={eu, us}' -- ./train
  pointsman call train --when 'gpu == h200 and mem >= 48G and region in {eu}' --prefer '+mem' @job

An attribute is a number, a text, or a set of texts. Clients have attributes, too (--attribute of call and run), and a worker
may ask for them: --accepts 'team in {a, b}'. In the configuration file: attributes and accepts in [worker], attributes in [client].

  NAME == VALUE   NAME != VALUE            a number, a word, or a text in double quotes
  NAME < NUMBER   also <=  >  >=           numbers may have a unit: k M G T, Ki Mi Gi Ti
  NAME in {VALUE, VALUE}                   is one of these
  has NAME                                 is there at all
  A and B    A or B    not A    (A or B)   not binds closest, then and, then or

What is not there, or is of another kind, makes every comparison false, also !=. A set is what any of its texts is:
region == eu is true of {eu, us}. A preference is a list of wishes, the weightiest first: conditions, +NAME (more is better) or
-NAME (less is better), with ; between them.

A request that no worker matches is refused (exit code 4), with the clause that fails; with --absent it waits for one.
`pointsman explain` says of a request that waits which workers do not match, and why. `pointsman ls workers --json` shows
attributes.
)";

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> topics{
    {{"exit-codes", exit_codes},
     {"environment", environment},
     {"configuration", configuration},
     {"brokers", brokers},
     {"conditions", conditions}}};

}  // namespace

std::vector<std::string_view> help_topics() {
  std::vector<std::string_view> names;
  for (const auto& [name, text] : topics) names.push_back(name);
  return names;
}

std::optional<std::string_view> help_topic(std::string_view name) {
  for (const auto& [topic, text] : topics) {
    if (topic == name) return text;
  }
  return std::nullopt;
}

}  // namespace pointsman::program
