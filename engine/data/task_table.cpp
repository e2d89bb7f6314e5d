#include <algorithm>
#include <array>

#include "engine/data/tasks.h"
#include "engine/error.h"

namespace engine {
namespace {

struct Subject {
  const char* name;
  int group;
};
constexpr std::array<const char*, 4> k_mmlu_groups{"mmlu_stem", "mmlu_humanities",
                                                   "mmlu_social_sciences", "mmlu_other"};
constexpr Subject k_subjects[] = {
    {"abstract_algebra", 0},
    {"anatomy", 0},
    {"astronomy", 0},
    {"business_ethics", 3},
    {"clinical_knowledge", 3},
    {"college_biology", 0},
    {"college_chemistry", 0},
    {"college_computer_science", 0},
    {"college_mathematics", 0},
    {"college_medicine", 3},
    {"college_physics", 0},
    {"computer_security", 0},
    {"conceptual_physics", 0},
    {"econometrics", 2},
    {"electrical_engineering", 0},
    {"elementary_mathematics", 0},
    {"formal_logic", 1},
    {"global_facts", 3},
    {"high_school_biology", 0},
    {"high_school_chemistry", 0},
    {"high_school_computer_science", 0},
    {"high_school_european_history", 1},
    {"high_school_geography", 2},
    {"high_school_government_and_politics", 2},
    {"high_school_macroeconomics", 2},
    {"high_school_mathematics", 0},
    {"high_school_microeconomics", 2},
    {"high_school_physics", 0},
    {"high_school_psychology", 2},
    {"high_school_statistics", 0},
    {"high_school_us_history", 1},
    {"high_school_world_history", 1},
    {"human_aging", 3},
    {"human_sexuality", 2},
    {"international_law", 1},
    {"jurisprudence", 1},
    {"logical_fallacies", 1},
    {"machine_learning", 0},
    {"management", 3},
    {"marketing", 3},
    {"medical_genetics", 3},
    {"miscellaneous", 3},
    {"moral_disputes", 1},
    {"moral_scenarios", 1},
    {"nutrition", 3},
    {"philosophy", 1},
    {"prehistory", 1},
    {"professional_accounting", 3},
    {"professional_law", 1},
    {"professional_medicine", 3},
    {"professional_psychology", 2},
    {"public_relations", 2},
    {"security_studies", 2},
    {"sociology", 2},
    {"us_foreign_policy", 2},
    {"virology", 3},
    {"world_religions", 1},
};
static_assert(std::size(k_subjects) == 57);

TaskDefinition arc(const char* name, const char* config) {
  TaskDefinition task;
  task.name = name;
  task.datasets = {"ai2_arc", "allenai/ai2_arc", "arc"};
  task.config = config;
  task.split = "test";
  task.context = "Question: {question}\nAnswer:";
  task.choices_field = "choices.text";
  task.gold = "answerKey";
  task.gold_labels = "choices.label";
  return task;
}

TaskDefinition mmlu(const std::string& subject) {
  TaskDefinition task;
  task.name = "mmlu_" + subject;
  task.datasets = {"mmlu", "cais/mmlu", "hails/mmlu_no_train", "mmlu_no_train"};
  task.config = subject;
  task.split = "test";
  task.shots_split = "dev";
  task.shots_in_order = true;
  std::string words = subject;
  std::replace(words.begin(), words.end(), '_', ' ');
  task.description =
      "The following are multiple choice questions (with answers) about " + words + ".\n\n";
  task.context =
      "{question|trim}\nA. {choices[0]}\nB. {choices[1]}\nC. {choices[2]}\nD. "
      "{choices[3]}\nAnswer:";
  task.choices = {"A", "B", "C", "D"};
  task.gold = "answer";
  task.filter_field = "subject";
  task.filter_value = subject;
  task.length_normalised = false;
  return task;
}

std::vector<TaskDefinition> make_tasks() {
  std::vector<TaskDefinition> out;
  TaskDefinition piqa;
  piqa.name = "piqa";
  piqa.datasets = {"piqa", "ybisk/piqa", "baber/piqa"};
  piqa.split = "validation";
  piqa.context = "Question: {goal}\nAnswer:";
  piqa.choices = {"{sol1}", "{sol2}"};
  piqa.gold = "label";
  out.push_back(piqa);
  out.push_back(arc("arc_easy", "ARC-Easy"));
  out.push_back(arc("arc_challenge", "ARC-Challenge"));

  TaskDefinition hellaswag;
  hellaswag.name = "hellaswag";
  hellaswag.datasets = {"hellaswag", "Rowan/hellaswag"};
  hellaswag.split = "validation";
  hellaswag.gold = "label";
  hellaswag.prepare = TaskDefinition::Prepare::hellaswag;
  out.push_back(hellaswag);

  TaskDefinition winogrande;
  winogrande.name = "winogrande";
  winogrande.datasets = {"winogrande", "allenai/winogrande"};
  winogrande.config = "winogrande_xl";
  winogrande.split = "validation";
  winogrande.gold = "answer";
  winogrande.gold_base = 1;
  winogrande.prepare = TaskDefinition::Prepare::winogrande;
  winogrande.length_normalised = false;
  out.push_back(winogrande);

  TaskDefinition openbookqa;
  openbookqa.name = "openbookqa";
  openbookqa.datasets = {"openbookqa", "allenai/openbookqa"};
  openbookqa.config = "main";
  openbookqa.split = "test";
  openbookqa.context = "{question_stem}";
  openbookqa.choices_field = "choices.text";
  openbookqa.gold = "answerKey";
  openbookqa.gold_labels = "choices.label";
  out.push_back(openbookqa);

  TaskDefinition sciq;
  sciq.name = "sciq";
  sciq.datasets = {"sciq", "allenai/sciq"};
  sciq.split = "test";
  sciq.context = "{support|ltrim}\nQuestion: {question}\nAnswer:";
  sciq.choices = {"{distractor1}", "{distractor2}", "{distractor3}", "{correct_answer}"};
  sciq.gold = "=3";
  out.push_back(sciq);

  TaskDefinition lambada;
  lambada.name = "lambada_openai";
  lambada.kind = TaskKind::last_word;
  lambada.datasets = {"lambada", "lambada_openai", "EleutherAI/lambada_openai"};
  lambada.split = "test";
  lambada.prepare = TaskDefinition::Prepare::lambada;
  lambada.length_normalised = false;
  out.push_back(lambada);

  for (const auto& subject : k_subjects) out.push_back(mmlu(subject.name));
  return out;
}

std::vector<TaskGroup> make_groups() {
  std::vector<TaskGroup> out{{"mmlu", {}}};
  for (const char* name : k_mmlu_groups) out.push_back({name, {}});
  for (const auto& subject : k_subjects) {
    const std::string task = std::string("mmlu_") + subject.name;
    out[0].tasks.push_back(task);
    out[static_cast<std::size_t>(subject.group) + 1].tasks.push_back(task);
  }
  return out;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

const std::vector<TaskDefinition>& built_in_tasks() {
  static const std::vector<TaskDefinition> tasks = make_tasks();
  return tasks;
}

const std::vector<TaskGroup>& task_groups() {
  static const std::vector<TaskGroup> groups = make_groups();
  return groups;
}

const TaskDefinition* find_task(const std::string& name) {
  for (const auto& task : built_in_tasks()) {
    if (task.name == name) return &task;
  }
  return nullptr;
}

std::vector<std::string> expand_task_name(const std::string& name) {
  if (find_task(name) != nullptr) return {name};
  std::string nearest;
  std::size_t least = SIZE_MAX;
  const std::string start = name.substr(0, 100);
  const auto consider = [&](const std::string& known) {
    if (const std::size_t distance = edit_distance(start, known); distance < least) {
      least = distance;
      nearest = known;
    }
  };
  for (const auto& group : task_groups()) {
    if (group.name == name) return group.tasks;
    consider(group.name);
  }
  for (const auto& task : built_in_tasks()) consider(task.name);
  throw InputError("unknown task \"" + start + "\"; the nearest known one is \"" + nearest + "\"");
}

}  // namespace engine
