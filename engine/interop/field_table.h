#pragma once
/// One foreign file while it is read: each field is answered for once. Inner header of
/// foreign_*.cpp.

#include <optional>
#include <string>
#include <vector>

#include "engine/interop/foreign_recipe.h"
#include "engine/yaml_text.h"

namespace engine {

/// A recipe key that a field became.
struct ForeignAssignment {
  std::string key, value;
  std::size_t field = 0;
};

class FieldTable {
 public:
  /// Flattens maps; keeps the order of the file.
  FieldTable(std::string file, const YAML::Node& root);

  bool has(const std::string& path) const { return index(path).has_value(); }
  std::string text(const std::string& path) const;  ///< "" where absent or null
  bool is_true(const std::string& path) const {
    return text(path) == "true" || text(path) == "True";
  }

  void becomes(const std::string& path, const std::string& key, const std::string& value,
               const std::string& why = "");
  void becomes(const std::string& path, const std::string& key) { becomes(path, key, text(path)); }
  void chosen(const std::string& path, const std::string& key, const std::string& value,
              const std::string& why);
  void means(const std::string& path, const std::string& why) {
    answer(path, Reading::understood, why);
  }
  void ignore(const std::string& path, const std::string& why) {
    answer(path, Reading::ignored, why);
  }
  void doubt(const std::string& path, const std::string& why) {
    answer(path, Reading::ambiguous, why);
  }
  /// What the other program's code does, whatever its file says.
  void code(const std::string& key, const std::string& value, const std::string& why,
            Reading reading = Reading::understood);
  /// Every unanswered field at or below `path` (all of them: ""), as ignored.
  void ignore_below(const std::string& path, const std::string& why);

  std::vector<ForeignField> fields;
  std::vector<ForeignAssignment> assignments;

 private:
  void flatten(const YAML::Node& node, const std::string& path, int depth);
  std::optional<std::size_t> index(const std::string& path) const;
  void answer(const std::string& path, Reading reading, const std::string& why);

  std::string file_;
  std::vector<bool> answered_;
};

/// What a model file says that the stages need to know.
struct ForeignModel {
  bool read = false;         ///< there was one
  bool linear_only = false;  ///< no window branch
};

bool is_lolcats_model(const FieldTable& table);
bool is_lolcats_experiment(const FieldTable& table);
bool is_lolcats_transfer(const FieldTable& table);
bool is_liger(const FieldTable& table);
/// Each answers for every field of the table. `stage`: "stages[0]." Problems keep the recipe from
/// being one.
void read_lolcats_model(FieldTable& table, ForeignModel& model, std::vector<Problem>& problems);
void read_lolcats_experiment(FieldTable& table, const ForeignModel& model, const std::string& stage,
                             std::vector<Problem>& problems);
void read_liger(FieldTable& table, const std::string& stage, std::vector<Problem>& problems);

inline constexpr const char* k_hub_name =
    "a name on the Hub: give the folder where it lies, with --set ";

}  // namespace engine
