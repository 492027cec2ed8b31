// The worker library: one thread talks to the world and drives the core, the others run the function.
#include "workers/worker.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "workers/driver.hpp"
#include "workers/job.hpp"

namespace pointsman {

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

  void serve(const std::function<void(Work&)>& function);
  workers::WorkerSettings settings(const Credentials& credentials) const;
  workers::Handlers handlers();
  void start(workers::Serve&& serve);
  void work(const std::function<void(Work&)>& function);
  void move_answers(workers::Driver& driver);
  void obey(workers::Driver& driver);
  void stir(const JobKey& key);
  void finish_threads();

  WorkerOptions options;
  Transport* transport = nullptr;  // while serve() runs
  std::vector<std::thread> threads;
  const std::function<void(Work&)>* function = nullptr;

  std::mutex mutex;
  std::condition_variable wanted;
  std::string endpoint;
  std::deque<std::shared_ptr<Job>> waiting;  // for a thread
  std::size_t idle = 0;
  std::set<JobKey> stirred;  // jobs that have something to say
  bool closing = false;      // the threads are to end
  bool drain = false;
  std::optional<Instant> stop_by;
  bool told_drain = false, told_stop = false, told_now = false;

  std::map<JobKey, std::shared_ptr<Job>> jobs;  // the I/O thread's
};

workers::WorkerSettings Worker::Inside::settings(const Credentials& credentials) const {
  return {.name = options.name,
          .instance = random_name(),
          .offers = options.services,
          .slots = options.slots,
          .endpoint = endpoint,
          .lease = options.lease,
          .key = workers::key_text(credentials),
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

// Hands a call to a thread; starts one more while there are fewer than slots.
void Worker::Inside::start(workers::Serve&& serve) {
  const JobKey key{serve.session, serve.number};
  auto job = std::make_shared<Job>(std::move(serve), [this, key] { stir(key); });
  jobs[key] = job;
  {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(job));
    if (idle < waiting.size() && threads.size() < options.slots) {
      threads.emplace_back([this] { work(*function); });
    }
  }
  wanted.notify_one();
}

void Worker::Inside::work(const std::function<void(Work&)>& run) {
  std::unique_lock lock(mutex);
  while (true) {
    ++idle;
    wanted.wait(lock, [this] { return closing || !waiting.empty(); });
    --idle;
    if (waiting.empty()) return;
    const std::shared_ptr<Job> job = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    job->run(run);
    lock.lock();
  }
}

void Worker::Inside::stir(const JobKey& key) {
  const std::lock_guard lock(mutex);
  stirred.insert(key);
  if (transport) transport->wake();
}

// Takes from jobs what they have to say, as long as their clients read it.
void Worker::Inside::move_answers(workers::Driver& driver) {
  std::set<JobKey> keys;
  {
    const std::lock_guard lock(mutex);
    keys.swap(stirred);
  }
  for (const JobKey& key : keys) {
    const auto found = jobs.find(key);
    if (found == jobs.end()) continue;
    const std::shared_ptr<Job> job = found->second;
    while (!driver.congested(key.first, key.second)) {
      auto event = job->take();
      if (!event) break;
      // The end of one call may be the start of the next one of the same number: not before it is gone here.
      if (job->over()) jobs.erase(key);
      driver.tell(std::move(*event));
    }
    const auto still = jobs.find(key);
    if (still != jobs.end() && still->second == job && driver.congested(key.first, key.second)) {
      const std::lock_guard lock(mutex);
      stirred.insert(key);
    }
  }
}

// What drain() and stop() asked for.
void Worker::Inside::obey(workers::Driver& driver) {
  std::unique_lock lock(mutex);
  const bool drain_now = drain && !told_drain;
  const bool stop_now = stop_by && !told_stop;
  const bool force_now = stop_by && *stop_by <= now() && !told_now;
  told_drain |= drain_now;
  told_stop |= stop_now;
  told_now |= force_now;
  lock.unlock();
  if (drain_now) driver.tell(workers::Quiesce{});
  if (stop_now) driver.tell(workers::Stop{});
  if (force_now) driver.tell(workers::Stop{.now = true});
}

void Worker::Inside::serve(const std::function<void(Work&)>& run) {
  Transport links;
  function = &run;
  closing = false;
  const Credentials credentials = read_credentials(options.key, options.broker_key);
  const std::string bound = links.listen(Door::direct, options.bind, direct_limits(), options.insecure,
                                         {.own = credentials.own, .strangers = true});
  {
    const std::lock_guard lock(mutex);
    endpoint = options.advertise.empty() ? bound : options.advertise;
    transport = &links;
  }
  std::optional<workers::Done> done;
  try {
    workers::Driver driver(links, settings(credentials), workers::workers_listener(options.broker), handlers(),
                           options.trace, credentials);
    while (!driver.done()) {
      Instant until = never;
      {
        const std::lock_guard lock(mutex);
        if (stop_by && !told_now) until = *stop_by;
        // Somebody reads slowly: look again soon.
        if (!stirred.empty()) until = std::min(until, now() + std::chrono::milliseconds(2));
      }
      driver.turn(until);
      obey(driver);
      move_answers(driver);
    }
    done = driver.done();
  } catch (...) {
    finish_threads();
    throw;
  }
  finish_threads();
  if (done->code != Code::none) {
    throw WorkFailed(std::string(word(done->code)) + ": " + done->reason +
                     (done->remedy.empty() ? "" : " (" + done->remedy + ")"));
  }
}

// What still runs is told that nobody wants it, and waited for.
void Worker::Inside::finish_threads() {
  for (const auto& [key, job] : jobs) job->cancel();
  {
    const std::lock_guard lock(mutex);
    closing = true;
    waiting.clear();
    transport = nullptr;
  }
  wanted.notify_all();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  jobs.clear();
  stirred.clear();
  drain = told_drain = told_stop = told_now = false;
  stop_by.reset();
}

Worker::Worker(WorkerOptions options) : inside_(std::make_unique<Inside>(std::move(options))) {}
Worker::~Worker() = default;

void Worker::serve(const std::function<void(Work&)>& function) { inside_->serve(function); }

void Worker::drain() {
  const std::lock_guard lock(inside_->mutex);
  inside_->drain = true;
  if (inside_->transport) inside_->transport->wake();
}

void Worker::stop(std::chrono::milliseconds within) {
  const std::lock_guard lock(inside_->mutex);
  inside_->stop_by = now() + within;
  if (inside_->transport) inside_->transport->wake();
}

const std::string& Worker::name() const { return inside_->options.name; }

std::string Worker::endpoint() const {
  const std::lock_guard lock(inside_->mutex);
  return inside_->endpoint;
}

}  // namespace pointsman
