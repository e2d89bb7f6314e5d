#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#include "engine/error.h"
#include "engine/log.h"
#include "engine/session_impl.h"

namespace engine {
namespace {

using namespace std::chrono_literals;

constexpr auto k_group = 250ms;       // points of a quarter second share one transaction
constexpr std::size_t k_most_pending = 20'000;  // events
constexpr auto k_try_again = 1s;      // between attempts to write to a store that failed
constexpr int k_niceness = 5;  // the window stays quick while a run uses every core
constexpr std::size_t k_longest_message = 500;

/// Some exceptions carry pages; a closing sentence is their first line.
std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  if (line.size() > k_longest_message) line = line.substr(0, k_longest_message) + " ...";
  return line;
}

/// Worth a transaction of its own: faces and other processes wait for these.
bool at_once(const EventBody& body) {
  return !std::holds_alternative<Points>(body) && !std::holds_alternative<LogLine>(body);
}

}  // namespace

bool Session::Impl::active(RunId run) const {
  return (current && current->run == run) ||
         std::any_of(queue.begin(), queue.end(), [&](const auto& r) { return r.run == run; });
}

void Session::Impl::enqueue(RunRequest request, const std::string& name) {
  emit(request.run, RunQueued{name});
  {
    const std::lock_guard lock(mutex);
    queue.push_back(std::move(request));
  }
  work.notify_all();
}

void Session::Impl::emit_progress(RunId run, const Progress& newest) {
  {
    const std::lock_guard lock(mutex);
    if (!current || current->run != run) return;
    if (newest.total_steps > 0 && newest.total_steps != current->total_steps) {
      current->total_steps = newest.total_steps;
      pending.push_back({run, 0, newest});
      if (pending.size() == 1) to_store.notify_all();
    }
    progress[run] = {run, 0, newest};
  }
  to_drain.notify_all();
}

void Session::Impl::emit(RunId run, EventBody body) {
  if (const auto* newest = std::get_if<Progress>(&body)) return emit_progress(run, *newest);
  if (const auto* line = std::get_if<LogLine>(&body)) {
    log_to_file(line->level, "run " + std::to_string(run) + ": " + line->text);
  }
  bool now = at_once(body), first = false;
  {
    const std::lock_guard lock(mutex);
    first = pending.empty();
    pending.push_back({run, 0, std::move(body)});
    // A run that reports faster than the store writes waits for it; memory would not last.
    now = now || (pending.size() >= k_most_pending && store_problem.empty());
  }
  if (now) {
    flush();
  } else if (first) {
    to_store.notify_all();
  }
}

void Session::Impl::publish(std::vector<Event> batch) {
  {
    const std::lock_guard lock(mutex);
    for (Event& event : batch) {
      if (std::holds_alternative<Progress>(event.body)) continue;
      if (std::holds_alternative<StageStarted>(event.body)) progress.erase(event.run);
      if (std::holds_alternative<RunEnded>(event.body)) {
        // From here on the run can be resumed or removed, by whoever drains this event.
        if (current && current->run == event.run) current.reset();
        progress.erase(event.run);
        if (event.seq != 0 && told.erase(event.run) > 0) continue;
      }
      outbox.push_back(std::move(event));
    }
  }
  to_drain.notify_all();
}

/// Returns what to stop where the store cannot be written: the caller does so when it holds no
/// lock, since a stop may call back into execute.
std::optional<std::stop_source> Session::Impl::flush_locked() {
  std::vector<Event> batch;
  {
    const std::lock_guard lock(mutex);
    batch.swap(pending);
  }
  if (batch.empty()) return std::nullopt;
  std::string problem;
  try {
    writer.append(batch);
  } catch (const std::exception& e) {
    problem = e.what();
  }
  if (problem.empty()) {
    publish(std::move(batch));
    const std::lock_guard lock(mutex);
    store_problem.clear();
    work.notify_all();
    return std::nullopt;
  }
  const std::lock_guard lock(mutex);
  batch.insert(batch.end(), std::make_move_iterator(pending.begin()),
               std::make_move_iterator(pending.end()));
  pending.swap(batch);
  if (store_problem.empty()) log(LogLine::Level::error, problem);
  store_problem = problem;
  to_store.notify_all();
  if (!current) return std::nullopt;
  if (current->store_problem.empty()) current->store_problem = problem;
  return current->stop;
}

void Session::Impl::flush() {
  std::optional<std::stop_source> stop;
  {
    const std::lock_guard lock(store_mutex);
    stop = flush_locked();
  }
  if (stop) stop->request_stop();
}

void Session::Impl::keep_flushing(const std::stop_token& stop) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), k_niceness);
  std::unique_lock lock(mutex);
  for (;;) {
    to_store.wait(lock, stop, [&] { return !pending.empty(); });
    const auto pause = store_problem.empty() ? std::chrono::milliseconds(k_group)
                                             : std::chrono::milliseconds(k_try_again);
    to_store.wait_for(lock, stop, pause, [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    flush();
    lock.lock();
  }
}

void Session::Impl::keep_working(const std::stop_token& stop) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), k_niceness);
  pthread_setname_np(pthread_self(), "engine");
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, stop,
              [&] { return !queue.empty() && !queue_held && store_problem.empty(); });
    if (stop.stop_requested()) return;
    const RunRequest request = std::move(queue.front());
    queue.pop_front();
    current = CurrentRun{.run = request.run,
                         .stop = {},
                         .total_steps = 0,
                         .store_problem = {},
                         .checkpoint_asked = request.checkpoint_asked};
    const std::stop_token token = current->stop.get_token();
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    RunEnded ended = attempt(request, token);
    lock.lock();
    const auto held = current ? current->held : std::chrono::steady_clock::duration{};
    if (ended.state == RunState::failed && hold_on_failure) queue_held = true;
    lock.unlock();
    ended.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start - held).count();
    end(request.run, std::move(ended));
    lock.lock();
  }
}

/// A pause lies between two events of the run, so it needs nothing of the code that trains.
void Session::Impl::wait_while_paused(RunId run, const std::stop_token& stop) {
  const auto asked = [&] { return current && current->run == run && current->paused; };
  {
    const std::lock_guard lock(mutex);
    if (!asked()) return;
  }
  emit(run, LogLine{LogLine::Level::info, "paused"});
  const auto start = std::chrono::steady_clock::now();
  {
    std::unique_lock lock(mutex);
    work.wait(lock, stop, [&] { return !asked(); });
    if (current && current->run == run)
      current->held += std::chrono::steady_clock::now() - start;
  }
  emit(run, LogLine{LogLine::Level::info, "goes on after a pause"});
}

/// The one place where exceptions of a run end.
RunEnded Session::Impl::attempt(const RunRequest& request, const std::stop_token& stop) {
  std::string whole;
  try {
    return answer(request, stop);
  } catch (const Cancelled&) {
    const std::lock_guard lock(mutex);
    if (current && !current->store_problem.empty()) {
      return {RunState::failed, "The run was stopped and can be resumed: " + current->store_problem,
              0};
    }
    return {RunState::cancelled,
            closing ? "Stopped because the program was closed; it can be resumed."
                    : "Stopped as asked; it can be resumed.",
            0};
  } catch (const InputError& e) {
    return {RunState::failed, e.what(), 0};
  } catch (const StoreError& e) {
    return {RunState::failed, e.what(), 0};
  } catch (const std::bad_alloc&) {
    return {RunState::failed, "There was not enough memory; a smaller batch_size needs less.", 0};
  } catch (const std::exception& e) {
    whole = e.what();
  } catch (...) {
    whole = "an error of unknown kind";
  }
  if (whole.empty()) whole = "an error without a text";
  if (first_line(whole) != whole) emit(request.run, LogLine{LogLine::Level::error, whole});
  return {RunState::failed, "The run failed: " + first_line(whole), 0};
}

RunEnded Session::Impl::answer(const RunRequest& request, const std::stop_token& stop) {
  {
    const std::lock_guard lock(store_mutex);
    writer.set_state(request.run, RunState::running, "");
  }
  std::error_code error;
  std::filesystem::create_directories(request.folder, error);
  if (error) {
    throw InputError("Cannot make the folder " + request.folder.string() + ": " + error.message() +
                     ".");
  }
  const RunId run = request.run;
  const Emit out = [this, run, stop](EventBody body) {
    // Beginning and end of a run are the session's to tell; nothing comes after the end.
    if (std::holds_alternative<RunQueued>(body) || std::holds_alternative<RunEnded>(body)) return;
    {
      const std::lock_guard lock(mutex);
      if (!current || current->run != run) return;
    }
    emit(run, std::move(body));
    wait_while_paused(run, stop);
  };
  return {RunState::done, execute(request, out, stop), 0};
}

void Session::Impl::end(RunId run, RunEnded ended) {
  flush();
  if (ended.state == RunState::failed) emit(run, LogLine{LogLine::Level::error, ended.message});
  const std::lock_guard store_lock(store_mutex);
  {
    const std::lock_guard lock(mutex);
    if (!store_problem.empty() && ended.state == RunState::done) {
      ended.state = RunState::failed;
      ended.message = store_problem;
    }
    pending.push_back({run, 0, ended});
  }
  flush_locked();
  Event unstored;
  {
    const std::lock_guard lock(mutex);
    const auto found = std::find_if(pending.begin(), pending.end(), [&](const Event& event) {
      return event.run == run && std::holds_alternative<RunEnded>(event.body);
    });
    if (found == pending.end()) return;
    auto& kept = std::get<RunEnded>(found->body);
    if (kept.state == RunState::done) {
      kept.state = RunState::failed;
      kept.message = store_problem;
    }
    unstored = *found;
  }
  publish({unstored});
  const std::lock_guard lock(mutex);
  told.insert(run);
}

}  // namespace engine
