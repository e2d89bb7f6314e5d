#include "engine/data/tokenize_documents.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/text_source.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_block_bytes = std::size_t{1} << 20, k_block_documents = 4096;

struct Work {
  std::uint64_t first = 0;  ///< number of its first document in the corpus, from 1
  std::string text;
  std::vector<std::size_t> ends;
  TokenBlock block;
  std::exception_ptr error;
  bool done = false;  ///< guarded by the pool's mutex
};

/// Threads that encode blocks; the calling thread pushes blocks and takes them back in the same order.
class Encoders {
 public:
  Encoders(const Tokenizer& tokenizer, int threads) : tokenizer_(tokenizer) {
    if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    limit_ = static_cast<std::size_t>(threads) * 2;
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { encode_all(); });
  }
  ~Encoders() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      todo_.clear();
    }
    work_.notify_all();
  }

  bool full() const { return in_flight_.size() >= limit_; }
  bool empty() const { return in_flight_.empty(); }

  void push(std::unique_ptr<Work> work) {
    {
      const std::lock_guard lock(mutex_);
      todo_.push_back(work.get());
    }
    work_.notify_one();
    in_flight_.push_back(std::move(work));
  }

  /// Waits for the oldest block.
  std::unique_ptr<Work> pop() {
    std::unique_ptr<Work> work = std::move(in_flight_.front());
    in_flight_.pop_front();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return work->done; });
    return work;
  }

 private:
  void encode_all() {
    while (true) {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return closed_ || !todo_.empty(); });
      if (closed_) return;
      Work* work = todo_.front();
      todo_.pop_front();
      lock.unlock();
      try {
        encode(*work);
      } catch (...) {
        work->error = std::current_exception();
      }
      lock.lock();
      work->done = true;
      done_.notify_one();
    }
  }

  void encode(Work& work) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < work.ends.size(); ++i) {
      const auto text = std::string_view(work.text).substr(begin, work.ends[i] - begin);
      begin = work.ends[i];
      try {
        const auto ids = tokenizer_.encode(text, true);
        work.block.tokens.insert(work.block.tokens.end(), ids.begin(), ids.end());
      } catch (const InputError& error) {
        throw InputError("document " + std::to_string(work.first + i) + ": " + error.what());
      }
      work.block.ends.push_back(work.block.tokens.size());
      work.block.hashes.push_back(XXH3_64bits(text.data(), text.size()));
    }
  }

  const Tokenizer& tokenizer_;
  std::size_t limit_ = 0;
  std::deque<std::unique_ptr<Work>> in_flight_;  ///< the calling thread's, oldest first
  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::deque<Work*> todo_;
  bool closed_ = false;
  std::vector<std::jthread> threads_;  ///< last, so that they end before what they use
};

}  // namespace

void tokenize_documents(const std::filesystem::path& path, const std::string& text_field, const Tokenizer& tokenizer,
                        int threads, const std::function<bool()>& stop,
                        const std::function<void(const TokenBlock&)>& take) {
  Encoders encoders(tokenizer, threads);
  auto open = std::make_unique<Work>();
  std::uint64_t documents = 0;
  const auto take_one = [&] {
    const auto work = encoders.pop();
    try {
      if (work->error) std::rethrow_exception(work->error);
    } catch (const InputError& error) {
      throw InputError(path.string() + ": " + error.what());
    }
    take(work->block);
  };
  const auto close = [&] {
    if (encoders.full()) take_one();
    encoders.push(std::exchange(open, std::make_unique<Work>()));
    open->first = documents + 1;
  };
  open->first = 1;
  for_each_document(path, text_field, [&](std::string_view text) {
    if (stop()) throw Cancelled{};
    open->text += text;
    open->ends.push_back(open->text.size());
    ++documents;
    if (open->text.size() >= k_block_bytes || open->ends.size() >= k_block_documents) close();
    return true;
  });
  if (!open->ends.empty()) close();
  while (!encoders.empty()) {
    if (stop()) throw Cancelled{};
    take_one();
  }
}

}  // namespace engine
