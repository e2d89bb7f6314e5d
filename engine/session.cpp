#include "engine/session.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "engine/error.h"
#include "engine/log.h"
#include "engine/session_impl.h"

namespace engine {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::int64_t planned_steps(const Recipe& recipe) {
  std::int64_t total = 0;
  for (const StageSpec& stage : recipe.stages) {
    std::int64_t steps = 0;
    if (__builtin_mul_overflow(stage.epochs, steps_per_epoch(recipe, stage), &steps) ||
        __builtin_add_overflow(total, steps, &total)) {
      return 0;
    }
  }
  return total;
}

void throw_on_errors(const std::vector<Problem>& problems) {
  std::string text;
  std::size_t errors = 0;
  for (const Problem& problem : problems) {
    if (problem.warning) continue;
    if (++errors == 1) text = problem.path + (problem.path.empty() ? "" : ": ") + problem.message;
  }
  if (errors > 1) text += " (and " + std::to_string(errors - 1) + " more)";
  if (errors > 0) throw InputError(text);
}

struct ResumePoint {
  std::int64_t step = -1;  ///< from the start: nothing that was stored stays live
  std::optional<std::filesystem::path> folder;
};

/// The newest live checkpoint that is whole (its manifest is written last). The store may have been
/// moved together with its checkpoints, so the run's own folder is looked at too.
ResumePoint newest_checkpoint(const RunReader& reader, RunId run,
                              const std::filesystem::path& folder) {
  const std::vector<StoredCheckpoint> checkpoints = reader.checkpoints(run);
  std::set<std::filesystem::path> seen;
  for (auto checkpoint = checkpoints.rbegin(); checkpoint != checkpoints.rend(); ++checkpoint) {
    const std::filesystem::path path = checkpoint->path;
    // A folder that is written again and again ("best") holds what its newest record says.
    if (!seen.insert(path).second || !checkpoint->live) continue;
    for (const auto& place : {folder / path, folder / path.filename()}) {
      std::error_code error;
      if (std::filesystem::is_regular_file(place / "manifest.json", error))
        return {checkpoint->step, place};
    }
  }
  return {};
}

/// What a recipe's start_from stands for. A run's name is put down as "id@step", so that the record stays true.
std::optional<std::filesystem::path> resolve_start(const Paths& paths, std::string& start) {
  if (start.empty()) return std::nullopt;
  std::error_code error;
  if (std::filesystem::exists(start, error)) return std::filesystem::path(start);
  const auto at = start.rfind('@');
  const std::string name = start.substr(0, at), step = at == std::string::npos ? "" : start.substr(at + 1);
  const RunReader reader(paths.store);
  const std::optional<RunInfo> run = reader.find(name);
  if (!run && reader.find_in_trash(name))
    throw InputError("start_from: run \"" + name + "\" is in the trash; restore it first.");
  if (!run) throw InputError("start_from: \"" + start + "\" is neither a run of " + paths.store.string() + " nor a checkpoint folder or file.");
  const std::filesystem::path folder = paths.checkpoints / std::to_string(run->id);
  std::string there;
  const auto checkpoints = reader.checkpoints(run->id);
  for (auto c = checkpoints.rbegin(); c != checkpoints.rend(); ++c) {
    const std::filesystem::path place = folder / std::filesystem::path(c->path).filename();
    if (!c->live || !std::filesystem::is_regular_file(place / "manifest.json", error)) continue;
    if (!step.empty() && std::to_string(c->step) != step) {
      there += (there.empty() ? "" : ", ") + std::to_string(c->step);
      continue;
    }
    start = std::to_string(run->id) + "@" + std::to_string(c->step);
    return place;
  }
  throw InputError("start_from: run " + run->name + " has no " + (step.empty() ? "whole checkpoint" : "checkpoint at step " + step) +
                   (there.empty() ? "." : "; it has steps " + there + "."));
}

}  // namespace

Session::Session(Paths paths, Execute execute)
    : impl_(std::make_unique<Impl>(std::move(paths), std::move(execute))) {
  for (RunId run : impl_->writer.mark_interrupted()) {
    log(LogLine::Level::warning,
        "run " + std::to_string(run) + " was interrupted and can be resumed");
  }
  Impl& impl = *impl_;
  impl.flusher = std::jthread([&impl](const std::stop_token& stop) { impl.keep_flushing(stop); });
  impl.worker = std::jthread([&impl](const std::stop_token& stop) { impl.keep_working(stop); });
}

Session::~Session() {
  std::deque<RunRequest> waiting;
  std::stop_source stop(std::nostopstate);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
    waiting.swap(impl_->queue);
    if (impl_->current) stop = impl_->current->stop;
  }
  impl_->worker.request_stop();
  stop.request_stop();
  impl_->worker.join();
  impl_->flusher.request_stop();
  impl_->flusher.join();
  impl_->flush();
  for (const RunRequest& request : waiting) {
    try {
      impl_->writer.set_state(request.run, RunState::interrupted,
                              "The program was closed before this run began; it can be resumed.");
    } catch (const std::exception& e) {
      log(LogLine::Level::error, e.what());
    }
  }
}

std::vector<Problem> Session::check(const Recipe& recipe) const { return engine::check(recipe); }

RunId Session::submit(Recipe recipe) {
  throw_on_errors(engine::check(recipe));
  const auto start_from = resolve_start(impl_->paths, recipe.start_from);
  RunInfo info;
  info.name = recipe.name;
  info.recipe = to_resolved_yaml(recipe);
  info.hash = recipe_hash(recipe);
  info.seed = recipe.seed;
  info.host = host_name();
  info.version = EQUIPOISE_VERSION;
  info.created_ms = now_ms();
  info.total_steps = planned_steps(recipe);
  {
    const std::lock_guard lock(impl_->store_mutex);
    info.id = impl_->writer.create(info);
  }
  impl_->enqueue({.run = info.id,
                  .recipe = std::move(recipe),
                  .folder = impl_->paths.checkpoints / std::to_string(info.id),
                  .cache = impl_->paths.cache,
                  .resume_from = std::nullopt,
                  .start_from = start_from},
                 info.name);
  return info.id;
}

void Session::resume(RunId run) {
  const std::lock_guard door(impl_->door);
  const std::string name = "Run " + std::to_string(run);
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->active(run)) throw InputError(name + " is running or queued already.");
  }
  impl_->flush();
  const RunReader reader(impl_->paths.store);
  const std::optional<RunInfo> info = reader.run(run);
  if (!info) throw InputError(name + " is not in the store " + impl_->paths.store.string() + ".");
  if (info->trashed_ms != 0) throw InputError(name + " is in the trash; restore it first.");
  if (info->state == RunState::done) {
    throw InputError(name + " is done; submit its recipe again for another run.");
  }
  ParsedRecipe parsed = parse_recipe(info->recipe);
  throw_on_errors(parsed.problems);
  throw_on_errors(engine::check(parsed.recipe));
  const std::filesystem::path folder = impl_->paths.checkpoints / std::to_string(run);
  const auto start_from = resolve_start(impl_->paths, parsed.recipe.start_from);
  const ResumePoint from = newest_checkpoint(reader, run, folder);
  {
    const std::lock_guard lock(impl_->store_mutex);
    impl_->writer.begin_attempt(run, from.step);
  }
  impl_->enqueue({.run = run,
                  .recipe = std::move(parsed.recipe),
                  .folder = folder,
                  .cache = impl_->paths.cache,
                  .resume_from = from.folder,
                  .start_from = start_from},
                 info->name);
}

void Session::cancel(RunId run) {
  std::stop_source stop(std::nostopstate);
  bool queued = false;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->current && impl_->current->run == run) stop = impl_->current->stop;
    queued =
        std::erase_if(impl_->queue, [&](const auto& request) { return request.run == run; }) > 0;
  }
  stop.request_stop();
  if (queued) impl_->end(run, {RunState::cancelled, "Cancelled before it began.", 0});
}

std::vector<Event> Session::drain() {
  std::vector<Event> events;
  const std::lock_guard lock(impl_->mutex);
  events.swap(impl_->outbox);
  for (auto& [run, newest] : impl_->progress) events.push_back(std::move(newest));
  impl_->progress.clear();
  return events;
}

bool Session::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(impl_->mutex);
  return impl_->to_drain.wait_for(
      lock, timeout, [&] { return !impl_->outbox.empty() || !impl_->progress.empty(); });
}

bool Session::idle() const {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->current && impl_->queue.empty();
}

std::optional<RunId> Session::current() const {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->current) return std::nullopt;
  return impl_->current->run;
}

void Session::Impl::set_paused(RunId run, bool on) {
  {
    const std::lock_guard lock(mutex);
    if (current && current->run == run) {
      current->paused = on;
    } else if (on) {
      throw InputError("Run " + std::to_string(run) + " is not at work and cannot be paused.");
    }
  }
  work.notify_all();
}

void Session::pause(RunId run) { impl_->set_paused(run, true); }
void Session::go_on(RunId run) { impl_->set_paused(run, false); }

bool Session::paused(RunId run) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->current && impl_->current->run == run && impl_->current->paused;
}

void Session::checkpoint_now(RunId run) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->current || impl_->current->run != run) {
    throw InputError("Run " + std::to_string(run) + " is not at work: there is nothing to keep.");
  }
  impl_->current->checkpoint_asked->store(true);
}

std::vector<RunId> Session::queue() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<RunId> runs;
  for (const RunRequest& request : impl_->queue) runs.push_back(request.run);
  return runs;
}

void Session::move_in_queue(RunId run, std::size_t place) {
  const std::lock_guard lock(impl_->mutex);
  auto& queue = impl_->queue;
  const auto found =
      std::find_if(queue.begin(), queue.end(), [&](const auto& r) { return r.run == run; });
  if (found == queue.end()) return;
  RunRequest moved = std::move(*found);
  queue.erase(found);
  queue.insert(queue.begin() + static_cast<std::ptrdiff_t>(std::min(place, queue.size())),
               std::move(moved));
}

void Session::hold_queue(bool on) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->queue_held = on;
  }
  impl_->work.notify_all();
}

bool Session::queue_held() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue_held;
}

void Session::hold_queue_on_failure(bool on) {
  const std::lock_guard lock(impl_->mutex);
  impl_->hold_on_failure = on;
}

void Session::Impl::set_trashed(const std::vector<RunId>& runs, bool trashed) {
  const std::lock_guard held(door);
  const RunReader reader(paths.store);
  for (RunId run : runs) {
    const std::optional<RunInfo> info = reader.run(run);
    if (!info) {
      throw InputError("Run " + std::to_string(run) + " is not in the store " +
                       paths.store.string() + ".");
    }
    const std::lock_guard lock(mutex);
    if (active(run)) {
      throw InputError("Run " + std::to_string(run) + ", " + info->name +
                       ", is running or queued; stop it first, then delete it.");
    }
  }
  const std::lock_guard lock(store_mutex);
  writer.set_trashed(runs, trashed);
}

void Session::trash(const std::vector<RunId>& runs) { impl_->set_trashed(runs, true); }
void Session::restore(const std::vector<RunId>& runs) { impl_->set_trashed(runs, false); }

void Session::remove(RunId run) {
  const std::lock_guard door(impl_->door);
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->active(run)) {
      throw InputError("Run " + std::to_string(run) + " is running or queued; cancel it first.");
    }
  }
  {
    const std::lock_guard store_lock(impl_->store_mutex);
    impl_->writer.remove(run);
    const std::lock_guard lock(impl_->mutex);
    std::erase_if(impl_->pending, [&](const Event& event) { return event.run == run; });
    impl_->told.erase(run);
  }
  std::error_code error;
  std::filesystem::remove_all(impl_->paths.checkpoints / std::to_string(run), error);
  if (error) {
    log(LogLine::Level::warning, "Cannot remove the checkpoints of run " + std::to_string(run) +
                                     ": " + error.message() + ".");
  }
}

void Session::annotate(RunId run, const std::string& name, const std::string& tags,
                       const std::string& notes) {
  const std::lock_guard lock(impl_->store_mutex);
  impl_->writer.annotate(run, name, tags, notes);
}

void Session::record(RunId run, Evaluated evaluation) {
  const std::lock_guard door(impl_->door);
  const std::string name = "Run " + std::to_string(run);
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->active(run)) throw InputError(name + " is running or queued; wait for its end.");
  }
  const std::optional<RunInfo> info = RunReader(impl_->paths.store).run(run);
  if (!info) throw InputError(name + " is not in the store " + impl_->paths.store.string() + ".");
  if (info->trashed_ms != 0) throw InputError(name + " is in the trash; restore it first.");
  impl_->flush();
  std::vector<Event> batch{{run, 0, std::move(evaluation)}};
  const std::lock_guard lock(impl_->store_mutex);
  impl_->writer.append(batch);
  impl_->publish(std::move(batch));
}

StoreImport Session::take_over(const std::filesystem::path& other) {
  const std::lock_guard lock(impl_->store_mutex);
  return impl_->writer.take_over(other, impl_->paths.checkpoints);
}

const Paths& Session::paths() const { return impl_->paths; }

}  // namespace engine
