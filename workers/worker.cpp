// The worker library: threads that run the function, and between calls drive the core and its transport.
//
// The thread that takes a call off the transport works on it, and sends the answer: nothing is handed to another one.
// While it works the thread of serve() drives, or another one that has nothing to do. Where calls are quick it would
// not be awake before the work is done; so there nobody is woken, and who drives next comes by itself.
#include "workers/worker.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <thread>
#include <unordered_set>

#include "workers/driver.hpp"
#include "workers/job.hpp"

namespace pointsman {

namespace {

// The thread of serve() drives when nobody has done so for this long.
constexpr Duration grace = std::chrono::milliseconds(1);

// Work is taken to be quick when so many calls in a row were.
constexpr Duration quick_most = std::chrono::microseconds(100);
constexpr int quick_calls = 8;

}  // namespace

using workers::Job;
using JobKey = std::pair<std::uint64_t, std::uint64_t>;  // session and number

struct Worker::Inside {
  explicit Inside(WorkerOptions given) : options(std::move(given)) {
    if (options.services.empty() || options.services.size() > limits::services) {
      throw std::invalid_argument("a worker offers 1 to " + std::to_string(limits::services) + " services");
    }
    if (options.slots < 1 || options.slots > limits::slots) {
      throw std::invalid_argument("a worker has 1 to " + std::to_string(limits::slots) + " slots");
    }
    if (options.name.empty()) options.name = workers::unique_worker_name();
    if (options.name.size() > limits::name) {
      throw std::invalid_argument("a worker's name has at most " + std::to_string(limits::name) + " bytes");
    }
  }

  // A function's thread that waits until its client reads.
  struct Stalled {
    Helm::Place place;
    JobKey key;
  };

  void serve(const std::function<void(Work&)>& function);
  workers::WorkerSettings settings(const Credentials& credentials) const;
  workers::Handlers handlers();
  bool ended() const { return !driver || driver->done() || broken; }
  Instant wanted() const;
  void turn(Helm::Lock& lock);
  void obey();
  void settle();
  void look_sooner();
  void guard(const std::function<void()>& step);
  void start(workers::Serve&& serve);
  void work(const std::function<void(Work&)>& function);
  void leave(Job& job);
  void tell(Job& job);
  void tell_gathered();
  void call_stalled();
  void finish(Helm::Lock& lock);

  WorkerOptions options;
  const std::function<void(Work&)>* function = nullptr;
  std::vector<std::thread> threads;

  // All that follows belongs to whoever has the helm.
  Helm helm{[this](Helm::Lock& lock) { turn(lock); }, [this] { transport->wake(); }, grace};
  Transport* transport = nullptr;     // while serve() runs
  workers::Driver* driver = nullptr;  // the same
  std::exception_ptr broken;          // what the world did to us
  std::string endpoint;
  std::map<JobKey, std::shared_ptr<Job>> jobs;
  std::deque<std::shared_ptr<Job>> waiting;  // for a thread
  std::unordered_set<Helm::Place*> idle;     // threads that nobody has called to a job
  bool next_is_ours = false;                 // who has the helm takes the next job
  int quick = 0;                             // calls in a row that were
  std::list<Stalled*> stalled;
  std::map<JobKey, std::shared_ptr<Job>> gathering;  // said parts just now, and may have some that wait
  Instant gathered_due = never;                      // of them
  Instant until = never;                             // who drives looks again by then
  bool drain = false;
  std::optional<Instant> stop_by;
  bool told_drain = false, told_stop = false, told_now = false;
};

workers::WorkerSettings Worker::Inside::settings(const Credentials& credentials) const {
  return {.name = options.name,
          .instance = random_name(),
          .offers = options.services,
          .slots = options.slots,
          .endpoint = endpoint,
          .lease = options.lease,
          .key = workers::key_text(credentials),
          .attributes = options.attributes,
          .accepts = options.accepts,
          .seed = random_number(),
          .patience = options.patience,
          .calls_max = options.calls_max};
}

workers::Handlers Worker::Inside::handlers() {
  workers::Handlers handlers;
  handlers.serve = [this](workers::Serve&& serve) { start(std::move(serve)); };
  handlers.abandoned = [this](const workers::Abandoned& call) {
    if (const auto job = jobs.find({call.session, call.number}); job != jobs.end()) job->second->cancel();
  };
  return handlers;
}

// Whoever drives and has nothing else to do works on it; else somebody who is idle, or one more thread, while there are
// fewer than slots.
void Worker::Inside::start(workers::Serve&& serve) {
  const JobKey key{serve.session, serve.number};
  auto job = std::make_shared<Job>(std::move(serve), [this](Job& said) { leave(said); });
  jobs[key] = job;
  waiting.push_back(std::move(job));
  const auto driving = idle.find(helm.driver());
  const bool ours = next_is_ours || (driving != idle.end() && helm.driving());
  if (ours && waiting.size() == 1) return transport->enough();
  auto next = idle.begin();
  if (next == driving && next != idle.end() && (ours || idle.size() > 1)) ++next;
  if (next != idle.end()) {
    Helm::Place* place = *next;
    idle.erase(next);
    helm.call(*place);
    if (quick >= quick_calls) helm.make_room();
  } else if (threads.size() < options.slots) {
    threads.emplace_back([this] { work(*function); });
  }
}

void Worker::Inside::work(const std::function<void(Work&)>& run) {
  Helm::Place place;
  Helm::Lock lock(helm);
  while (true) {
    const auto over = [&] {
      if (ended() || !waiting.empty()) return true;
      idle.insert(&place);  // again, if another thread was quicker to take the job that it was called to
      return false;
    };
    helm.wait(lock, place, over, true);
    idle.erase(&place);
    if (ended()) return;
    const std::shared_ptr<Job> job = std::move(waiting.front());
    waiting.pop_front();
    if (quick < quick_calls) helm.man();
    lock.unlock();
    const Instant from = now();
    job->run(run);
    const Duration took = now() - from;
    lock.lock();
    quick = took <= quick_most ? std::min(quick + 1, quick_calls) : 0;
    guard([&] {
      next_is_ours = true;
      tell(*job);
      next_is_ours = false;
      settle();
    });
  }
}

// On the function's thread: what it said leaves; then it waits until its client has room for more.
void Worker::Inside::leave(Job& job) {
  Helm::Lock lock(helm);
  const JobKey key{job.session(), job.number()};
  const auto known = jobs.find(key);
  guard([&] {
    tell(job);
    if (known == jobs.end()) settle();
  });
  if (known == jobs.end() || ended()) return;
  // What is said next may be gathered. So who drives looks within a millisecond, also at what came meanwhile.
  gathering.insert(*known);
  gathered_due = std::min(gathered_due, now() + Job::gathered_for);
  const auto over = [&] { return ended() || job.cancelled() || !driver->congested(key.first, key.second); };
  if (!over()) {
    Stalled here{.key = key};
    const auto at = stalled.insert(stalled.end(), &here);
    helm.wait(lock, here.place, over, true);
    stalled.erase(at);
  }
  if (helm.driven()) look_sooner();
}

// Tells the core all that the job has said.
void Worker::Inside::tell(Job& job) {
  while (!ended()) {
    auto event = job.take(now());
    if (!event) return;
    const auto* answer = std::get_if<workers::Answered>(&*event);
    const bool goes_on = (answer && answer->more) || std::holds_alternative<workers::Progressed>(*event);
    // The end of one call may be the start of the next one of the same number: not before it is gone here.
    if (!goes_on) {
      jobs.erase({job.session(), job.number()});
      gathering.erase({job.session(), job.number()});
    }
    driver->tell(std::move(*event));
    if (!goes_on) return;
  }
}

// What waits for more to be gathered with leaves when it is old enough.
void Worker::Inside::tell_gathered() {
  const Instant at = now();
  if (at < gathered_due) return;
  gathered_due = never;
  for (auto next = gathering.begin(); next != gathering.end();) {
    const auto [key, job] = *next++;
    const Instant due = job->due();
    const bool waits = due != never && driver->congested(key.first, key.second);
    if (due <= at && !waits) tell(*job);
    if (due == never)
      gathering.erase(key);
    else
      gathered_due = std::min(gathered_due, due > at ? due : at + Job::gathered_for);
  }
}

Instant Worker::Inside::wanted() const {
  const Instant stop = stop_by && !told_now ? *stop_by : never;
  return std::min({driver->deadline(), gathered_due, stop});
}

// One turn of the transport, by whoever drives.
void Worker::Inside::turn(Helm::Lock& lock) {
  guard([&] {
    if (ended()) return;
    until = wanted();
    driver->turn(until, &lock);
    until = never;
    obey();
    tell_gathered();
    call_stalled();
  });
}

// What the world does to us ends serve(), on whatever thread it comes up.
void Worker::Inside::guard(const std::function<void()>& step) {
  try {
    step();
  } catch (...) {
    broken = std::current_exception();
  }
  if (ended()) helm.call_all();
}

// After something was told while another thread may be waiting at the transport.
void Worker::Inside::settle() {
  if (ended()) return;
  call_stalled();
  if (!helm.driven()) return;
  transport->catch_up([this](Incoming&& event) { driver->take(std::move(event)); });
  look_sooner();
}

// Whoever waits at the transport for longer than is wanted now is woken, once.
void Worker::Inside::look_sooner() {
  const Instant due = wanted();
  if (due >= until) return;
  until = due;
  transport->wake();
}

void Worker::Inside::call_stalled() {
  for (Stalled* each : stalled) {
    if (!driver->congested(each->key.first, each->key.second)) helm.call(each->place);
  }
}

// What drain() and stop() asked for.
void Worker::Inside::obey() {
  const bool drain_now = drain && !told_drain;
  const bool stop_now = stop_by && !told_stop;
  const bool force_now = stop_by && *stop_by <= now() && !told_now;
  told_drain |= drain_now;
  told_stop |= stop_now;
  told_now |= force_now;
  if (drain_now) driver->tell(workers::Quiesce{});
  if (stop_now) driver->tell(workers::Stop{});
  if (force_now) driver->tell(workers::Stop{.now = true});
}

void Worker::Inside::serve(const std::function<void(Work&)>& run) {
  Transport links;
  function = &run;
  const Credentials credentials = read_credentials(options.key, options.broker_key, options.realm);
  const std::string bound = links.listen(Door::direct, options.bind, direct_limits(), options.insecure,
                                         {.own = credentials.own, .strangers = true});
  Helm::Lock lock(helm);
  endpoint = options.advertise.empty() ? bound : options.advertise;
  workers::Driver registrar(links, settings(credentials), workers::workers_listener(options.broker),
                            handlers(), options.trace, credentials);
  transport = &links;
  driver = &registrar;
  helm.keep(
      lock, [this] { return ended(); }, [](Helm::Lock&) {});
  const std::optional<workers::Done> done = driver->done();
  const std::exception_ptr problem = std::exchange(broken, nullptr);
  finish(lock);
  if (problem) std::rethrow_exception(problem);
  if (done->code != Code::none) {
    throw WorkFailed(std::string(word(done->code)) + ": " + done->reason +
                     (done->remedy.empty() ? "" : " (" + done->remedy + ")"));
  }
}

// What still runs is told that nobody wants it, and waited for.
void Worker::Inside::finish(Helm::Lock& lock) {
  for (const auto& [key, job] : jobs) job->cancel();
  driver = nullptr;
  helm.call_all();
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  lock.lock();
  threads.clear();
  transport = nullptr;
  waiting.clear();
  jobs.clear();
  gathering.clear();
  gathered_due = never;
  quick = 0;
  drain = told_drain = told_stop = told_now = false;
  stop_by.reset();
}

Worker::Worker(WorkerOptions options) : inside_(std::make_unique<Inside>(std::move(options))) {}
Worker::~Worker() = default;

void Worker::serve(const std::function<void(Work&)>& function) { inside_->serve(function); }

void Worker::drain() {
  const Helm::Lock lock(inside_->helm);
  inside_->drain = true;
  if (inside_->transport) inside_->transport->wake();
}

void Worker::stop(std::chrono::milliseconds within) {
  const Helm::Lock lock(inside_->helm);
  inside_->stop_by = now() + within;
  if (inside_->transport) inside_->transport->wake();
}

const std::string& Worker::name() const { return inside_->options.name; }

std::string Worker::endpoint() const {
  const Helm::Lock lock(inside_->helm);
  return inside_->endpoint;
}

}  // namespace pointsman
