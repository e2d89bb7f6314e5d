#include "engine/data/tasks.h"
#include "engine/error.h"
#include "tests/fuzz/target.h"

namespace {

const char* const k_records[] = {
    R"({"question":"Why?","goal":"g","choices":{"text":["a","b"],"label":["A","B"]},"answer":1,"answerKey":"B",)"
    R"("text":"one two three","sol":["x","y"],"label":0})",
    R"({"ctx_a":"x","ctx_b":"y","activity_label":"z","endings":["1","2"],"label":"1","sentence":"a _ b",)"
    R"("option1":"o","option2":"p","answer":"2"})"};

}  // namespace

std::vector<std::string> fuzz::seeds() {
  return {
      "task: own\ndataset: org/own\nsplit: test\ncontext: \"Question: {question|trim}\\nAnswer:\"\nchoices: "
      "choices.text\n"
      "answer: answerKey\nanswer_labels: choices.label\nmetrics: [acc, acc_norm]\nonly: {lang: en}\n",
      "task: word\nkind: last_word\ndataset: [a, b]\ncontext: \"{text}\"\ncontinuation: \" {goal}\"\ndescription: "
      "Read.\n",
      "# a comment\ntask: roll\nkind: rolling\ndataset: a\ncontext: \"{text}\"\ncounted: \"{text}\"\n",
      "task: write\nkind: generate\ndataset: a\ncontext: \"{question or input}\"\nanswers: sol\nuntil: "
      "[\"\\n\"]\nmax_tokens: 8\n",
      "task: pair\ndataset: a\ncontexts: [\"{ctx_a}\", \"{ctx_b}\"]\ncontinuation: \" {sentence}\"\nanswer: "
      "answer\nanswer_base: 1\nprepare: winogrande\n"};
}

std::vector<std::string> fuzz::words() {
  return {"task:",
          "kind:",
          "dataset:",
          "config:",
          "split:",
          "context:",
          "choices:",
          "answer:",
          "answer_labels:",
          "answer_base:",
          "contexts:",
          "continuation:",
          "delimiter:",
          "description:",
          "only:",
          "merge_by:",
          "prepare:",
          "metrics:",
          "until:",
          "subjects:",
          "group:",
          "{",
          "}",
          "{{",
          "|trim}",
          " or ",
          "[",
          "]",
          "- ",
          ": ",
          "\n",
          "  ",
          "&a ",
          "*a",
          "<<: ",
          "!!binary ",
          "? ",
          "|\n",
          ">-\n",
          "\"",
          "'",
          "~",
          "last_word",
          "rolling",
          "generate",
          "9999999999"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = engine::parse_task(fuzz::text_of(data, size), "own.yaml");
    for (const auto& task : file.tasks) {
      engine::task_hash(task);
      engine::parse_task(engine::task_text(task), "again.yaml");
      for (const char* record : k_records) {
        const auto document = engine::parse_json_document(record, "record");
        try {
          engine::make_example(task, document.view());
        } catch (const engine::InputError&) {
        }
      }
    }
  } catch (const engine::InputError&) {
  }
  return 0;
}
