#pragma once
/// How well a generated text answers: the metrics of LongBench and SCROLLS.

#include <string>
#include <vector>

#include "engine/data/tasks.h"

namespace engine {

/// Names for generation_score:
///   f1, em           token F1 and equality after SQuAD's normalisation (lower case, no punctuation,
///                    no articles, single spaces)
///   rouge_l          ROUGE-L F of PyPI's `rouge` 1.0.1, as LongBench uses it
///   rouge1 rouge2 rougeL   F of PyPI's `rouge_score` 0.1.2 without stemming, as SCROLLS uses it
///   classification   1 / number of class names in the output where the answer is among them
///   retrieval, retrieval_zh   share of the output's numbers that are the answer's "Paragraph 7" or
///                    "段落7"
///   count            share of the output's numbers that equal the answer
///   code_similarity  PyPI's `fuzzywuzzy` 0.18.0 ratio of the first line that is code (by difflib:
///                    without python-Levenshtein, as the harness requires it)
const std::vector<std::string>& generation_metrics();

/// The best score over the example's answers, 0 to 1. Throws InputError for an unknown metric and
/// for answers that the metric cannot read.
double generation_score(const std::string& metric, const std::string& output,
                        const TaskExample& example);

/// What is scored of a generated text: it ends before the first stop string; a blank one becomes
/// the task's if_empty, where that is set.
std::string scored_output(const TaskDefinition& task, const std::string& generated);

}  // namespace engine
