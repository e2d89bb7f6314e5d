#pragma once
/// Fields that some tasks' templates need and their records do not have.

#include <vector>

#include "engine/data/json.h"
#include "engine/data/tasks.h"

namespace engine {

/// The record with the fields that the task's preparation adds:
///   hellaswag    query, choices: cleaned of WikiHow's traces
///   winogrande   before, after: the sentence around its blank
///   lambada      start, last_word
///   copa         premise_start (with because or therefore), choices
///   wikitext     text: `page` with WikiText's tokenisation undone
///   scrolls, qmsum   question, text: `input` cut at its first empty line
///   quality      the same, and choices, gold
/// Throws InputError naming the record.
Json prepared_record(TaskDefinition::Prepare prepare, const JsonView& record);

/// A QMSum meeting in its authors' form as SCROLLS' records (id, pid, input, output), one a query,
/// general queries first; any other record alone.
std::vector<Json> qmsum_records(const JsonView& record, std::size_t meeting);

std::string python_strip(std::string_view text);       ///< str.strip()
bool is_python_space(char32_t c);                      ///< str.isspace()
std::int64_t count_python_words(std::string_view text);  ///< len(re.split(r"\s+", text))

}  // namespace engine
