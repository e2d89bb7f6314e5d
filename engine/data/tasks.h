#pragma once
/// Evaluation tasks as the LM Evaluation Harness (0.4.13) builds them: from a data set's records to
/// the exact context and continuation strings. A task is a small YAML file; its keys are described
/// in resources/tasks/README.md. No state; every function may be called from any thread.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/data/json.h"

namespace engine {

enum class TaskKind {
  multiple_choice,  ///< one request per choice; the likeliest choice counts
  last_word,  ///< one request; right where every token of the continuation is the likeliest one
              ///< (LAMBADA)
  rolling,    ///< perplexity of whole texts
  generate,   ///< greedy text after the context, compared with the answers
};

/// Which end of a prompt that does not fit is dropped: its left (the harness), or its middle
/// (LongBench's own script).
enum class Truncation { left, middle };

/// A task as data. Paths name a value of the record: `field`, `field.sub`, `field[2]`, with
/// alternatives as `question or input` (the first that is there). Templates are text with
/// `{path}`, with `|trim`, `|ltrim` or `|rtrim` behind the path for Python's strip functions;
/// `{{` is a brace.
struct TaskDefinition {
  std::string name;              ///< "arc_easy"
  std::string source;            ///< the YAML file, for messages
  std::filesystem::path folder;  ///< of a user's own file; data sets are looked for there, too
  TaskKind kind = TaskKind::multiple_choice;
  std::string version = "1.0";             ///< of the harness's definition, for exports
  std::vector<std::string> datasets;       ///< folders or files, tried in order; see load_task
  std::vector<std::string> configs;        ///< "ARC-Easy"; empty: the data set has only one
  std::string split = "test";              ///< scored unless asked otherwise: test or validation
  std::string shots_split;                 ///< empty: train, validation or test, whichever is there
  bool shots_in_order = false;             ///< the task's own sampler is the first n
  std::string description;                 ///< template before everything
  std::string context;                     ///< template; the whole text of rolling tasks
  std::vector<std::string> contexts;       ///< one template a choice; `continuation` follows each
  std::string continuation;                ///< template; with `contexts` or last_word
  std::string counted;                     ///< template: rolling tasks count its words and bytes
  std::string choices_field;               ///< path of a list of strings; empty: `choices` holds
  std::vector<std::string> choices;        ///< templates
  std::string gold;                        ///< path of the right choice's number or label
  std::int64_t gold_fixed = -1;            ///< the same number for all records, where >= 0
  std::string gold_labels_field;           ///< path of a list of labels
  std::vector<std::string> gold_labels;    ///< the labels, where they are fixed
  std::int64_t gold_base = 0;              ///< number of the first choice in the records
  std::string delimiter = " ";             ///< between context and continuation
  std::string filter_field, filter_value;  ///< only records where the field has the value
  enum class Prepare {
    none,
    hellaswag,
    winogrande,
    lambada,
    copa,
    wikitext,
    scrolls,
    qmsum,
    quality
  };
  Prepare prepare = Prepare::none;   ///< fields made from others before the templates are filled
  std::string merge_by;              ///< field: records with equal values are one, their `output`
                                     ///< fields the list `outputs`
  std::vector<std::string> metrics;  ///< the first one is what averages use; never empty
  // Generation only.
  std::string answers;               ///< path of a string or of a list of strings
  std::string classes_field;         ///< path of a list of class names
  std::vector<std::string> classes;  ///< the class names, where they are fixed
  std::vector<std::string> until;    ///< the output ends before the first of them
  std::int64_t max_tokens = 256;     ///< of the output
  Truncation truncation = Truncation::left;
  std::string if_empty;             ///< output that stands for a blank one
  std::vector<std::string> choose;  ///< where all answers are among these words, the likeliest of
                                    ///< them is the output (Qasper's yes and no)

  bool length_normalised() const;  ///< acc_norm is among the metrics
};

/// One text pair to score.
struct TaskRequest {
  std::string context, continuation;
  std::int64_t choice_characters =
      0;  ///< Unicode code points of the continuation without its delimiter
};

struct TaskExample {
  std::int64_t doc_id = 0;  ///< position in the (filtered, merged) file, from 0
  /// Multiple choice: one a choice. Last word and rolling: one (rolling: empty context). Generate:
  /// one with empty continuation, whose context is the prompt; or several to choose from, then the
  /// likeliest continuation is the output (the last one where all are equally likely).
  std::vector<TaskRequest> requests;
  std::int64_t gold = 0;  ///< index into requests
  std::string target;     ///< as the harness logs it: the number, or the text after WinoGrande's
                       ///< blank; generate: the answers as JSON
  std::vector<std::string> answers;   ///< generate: the right outputs
  std::vector<std::string> classes;   ///< generate: names for the metric "classification"
  std::int64_t words = 0, bytes = 0;  ///< rolling: of the text that perplexities are told by
  std::string doc;       ///< the record as JSON in one line; only with TaskOptions::keep_docs
  std::string doc_hash;  ///< SHA-256 of the record as JSON (indent 2, keys sorted), hexadecimal;
                         ///< set by load_task
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
  bool keep_docs = false;   ///< fill TaskExample::doc
};

struct LoadedTask {
  TaskDefinition definition;
  std::filesystem::path file;  ///< the records scored; the first shard where there are several
  std::string split;           ///< the one taken
  std::vector<TaskExample> examples;
};

/// A name with several tasks behind it.
struct TaskGroup {
  std::string name;                ///< mmlu, mmlu_stem, longbench, ...
  std::vector<std::string> tasks;  ///< TaskDefinition::name
  bool weight_by_size = true;      ///< the group's mean is over examples, else over tasks
};

/// What one YAML file holds: one task, or one a subject, and the groups they are in.
struct TaskFile {
  std::vector<TaskDefinition> tasks;
  std::vector<TaskGroup> groups;
};

/// Reads one task file's text. Throws InputError "source:line: ..." for anything unknown, missing,
/// of another type or too large.
TaskFile parse_task(std::string_view yaml, const std::string& source);

const std::vector<TaskDefinition>& built_in_tasks();  ///< those of resources/tasks, by file name
const std::vector<TaskGroup>& task_groups();          ///< theirs
/// A built-in task, or the task of a file: "dir/own.yaml", "dir/own.yaml:name" where the file has
/// several. Nothing for an unknown name; throws InputError for a bad file.
std::optional<TaskDefinition> find_task(const std::string& name);
/// A built-in group, or the whole of a file with several tasks.
std::optional<TaskGroup> find_group(const std::string& name);
/// Names for find_task behind the name of a task, a group or a file. Throws InputError otherwise,
/// naming the nearest known one.
std::vector<std::string> expand_task_name(const std::string& name);

/// The definition as YAML that parse_task reads back, with every key that is not at its default.
std::string task_text(const TaskDefinition& task);
std::string task_hash(const TaskDefinition& task);  ///< 16 hex digits over task_text
/// SHA-256 of the first request's context (rolling: of the text), as the harness's prompt_hash.
std::string prompt_hash(const TaskExample& example);
std::string sha256_hex(std::string_view bytes);

/// Reads the records and builds the examples. A data set is looked for below `data` by its name
/// (org/name, name, org___name, datasets--org--name/snapshots/<newest>), and below the folder of
/// the task's own file; in it, files [<config>.]<split>, <config>/<split>, data/<split>, whole or
/// in shards -00000-of-0000N, as .jsonl, .jsonl.gz, .jsonl.zst or .parquet; or <config> alone.
/// Throws InputError: what was looked for, or file:line, pointer and what was expected.
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
/// What is wrong with a template or path, empty where nothing is; fields are not looked at.
std::string template_problem(const std::string& text);
std::string path_problem(const std::string& path);
/// The value at a path; throws InputError where there is none.
JsonView value_at(const JsonView& record, const std::string& path);

}  // namespace engine
