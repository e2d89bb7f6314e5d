#pragma once
/// Scores on disk as they are computed, so that an evaluation that was stopped goes on where it was. No torch.

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "engine/eval/eval_task.h"

namespace engine {

/// JSON Lines: a first line with what was evaluated, then one score a line. One process and thread at a time.
class ScoreJournal {
 public:
  /// Takes over the scores in `path` if they were made under the same `identity` (model, checkpoint, attention, window,
  /// precision); otherwise begins anew. A torn last line is dropped. Throws InputError where it cannot be written.
  ScoreJournal(std::filesystem::path path, const std::string& identity);

  static std::string key(const std::string& component, const ScoreRequest& request);
  static std::string key(const std::string& component, const std::vector<std::int32_t>& prompt, const TaskDefinition& task);

  const Scored* score(const std::string& key) const;      ///< null where it is not known yet
  const std::string* text(const std::string& key) const;  ///< what a generation task wrote
  void add(const std::string& key, const Scored& score);
  void add(const std::string& key, const std::string& text);
  void flush();             ///< hands everything to the system; throws InputError where the disk refuses
  void remove();            ///< closes and deletes: the results stand elsewhere now
  std::size_t known() const { return scores_.size() + texts_.size(); }

 private:
  void read(const std::string& identity);

  std::filesystem::path path_;
  std::ofstream out_;
  std::map<std::string, Scored> scores_;
  std::map<std::string, std::string> texts_;
};

}  // namespace engine
