#pragma once
/// Evaluation tasks as the LM Evaluation Harness (0.4.13) builds them: from a data set's records to
/// the exact context and continuation strings.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/data/json.h"

namespace engine {

enum class TaskKind {
  multiple_choice,  ///< one request per choice; the likeliest choice counts
  last_word,  ///< one request; right where every token of the continuation is the likeliest one
              ///< (LAMBADA)
  rolling,    ///< perplexity of whole texts
};

/// A task as data. Templates hold `{field}`, `{field.sub}`, `{field[2]}`, with `|trim`, `|ltrim` or
/// `|rtrim` behind the name for Python's strip functions; `{{` is a brace.
struct TaskDefinition {
  std::string name;  ///< "arc_easy"
  TaskKind kind = TaskKind::multiple_choice;
  std::vector<std::string> datasets;  ///< folder names below the data folder, tried in order
  std::string config;                 ///< "ARC-Easy"; empty: the data set has only one
  std::string split;                  ///< scored unless asked otherwise: test or validation
  std::string shots_split;            ///< empty: train, validation or test, whichever is there
  bool shots_in_order = false;        ///< the task's own sampler is the first n
  std::string description;            ///< template before everything
  std::string context;                ///< template
  std::string choices_field;          ///< path of a list of strings; empty: `choices` holds
  std::vector<std::string> choices;   ///< templates
  std::string
      gold;  ///< path of the right choice's number, or of its label where gold_labels is set
  std::string gold_labels;      ///< path of a list of labels
  int gold_base = 0;            ///< number of the first choice in the records
  std::string delimiter = " ";  ///< between context and continuation
  std::string filter_field,
      filter_value;  ///< only records where the field has the value (MMLU's subjects)
  enum class Prepare { none, hellaswag, winogrande, lambada } prepare = Prepare::none;
  bool length_normalised = true;  ///< acc_norm is reported, too
};

/// One text pair to score.
struct TaskRequest {
  std::string context, continuation;
  std::int64_t choice_characters =
      0;  ///< Unicode code points of the continuation without its delimiter
};

struct TaskExample {
  std::int64_t doc_id = 0;  ///< position in the (filtered) file, from 0
  std::vector<TaskRequest> requests;
  std::int64_t gold = 0;  ///< index into requests
  std::string target;  ///< as the harness logs it: the number, or the text after WinoGrande's blank
};

enum class ShotSampler {
  task_default,  ///< seeded, or in_order where the task says so
  in_order,      ///< the first n records of the shots' split
  seeded,  ///< the harness's: Python's random.Random(seed).sample, one generator running on over
           ///< the examples
};

struct TaskOptions {
  std::string split{};  ///< empty: the task's own; where its file is absent, validation, then test
  std::int64_t shots = 0;
  ShotSampler sampler = ShotSampler::task_default;
  std::uint64_t seed = 1234;
  std::int64_t limit = -1;  ///< first so many examples; -1: all
};

struct LoadedTask {
  TaskDefinition definition;
  std::filesystem::path file;  ///< the records scored
  std::string split;           ///< the one taken
  std::vector<TaskExample> examples;
};

/// A name with several tasks behind it.
struct TaskGroup {
  std::string name;  ///< mmlu, mmlu_stem, mmlu_humanities, mmlu_social_sciences, mmlu_other
  std::vector<std::string> tasks;
};

const std::vector<TaskDefinition>&
built_in_tasks();  ///< piqa ... sciq, lambada_openai, mmlu_<57 subjects>
const std::vector<TaskGroup>& task_groups();
const TaskDefinition* find_task(const std::string& name);  ///< nullptr for an unknown name
/// Task names behind a task or group name; throws InputError naming the nearest known one
/// otherwise.
std::vector<std::string> expand_task_name(const std::string& name);

/// Reads `<data>/<dataset>/[<config>.]<split>.jsonl` (also `<dataset>/<config>/<split>.jsonl`) and
/// builds the examples. Throws InputError: file and what was looked for, or file:line, pointer and
/// what was expected.
LoadedTask load_task(const TaskDefinition& task, const std::filesystem::path& data,
                     const TaskOptions& options = {});

/// The example of one record, with ready few-shot text in front of its context; for previews and
/// tests.
TaskExample make_example(const TaskDefinition& task, const JsonView& record,
                         const std::string& shots = "");
/// A record as a shot: context, delimiter, right answer, two newlines.
std::string shot_text(const TaskDefinition& task, const JsonView& record);

/// Fills a template from a record. Throws InputError for unknown fields or broken braces.
std::string fill_template(const std::string& text, const JsonView& record);
/// The value at `field.sub[2]`; throws InputError where there is none.
JsonView value_at(const JsonView& record, const std::string& path);

}  // namespace engine
