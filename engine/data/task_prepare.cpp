#include "engine/data/task_prepare.h"

#include <algorithm>

#include <unicode/uchar.h>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

using Prepare = TaskDefinition::Prepare;

constexpr std::size_t k_max_choices = 64;

std::string replaced(const std::string& text, std::string_view what, std::string_view with) {
  std::string out;
  std::size_t last = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, last)) {
    out.append(text, last, at - last);
    out += with;
    last = at + what.size();
  }
  return out.append(text, last);
}

void append_lower(std::string& out, UChar32 c) {
  if (c == 0x130) {
    out += "i\xCC\x87";
  } else {
    append_utf8(out, static_cast<char32_t>(u_tolower(c)));
  }
}

/// Python's str.capitalize: the first letter in title case, all others lower.
std::string capitalized(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool first = at == 0;
    const auto c = static_cast<UChar32>(next_code_point(text, at));
    if (first) {
      append_utf8(out, static_cast<char32_t>(u_totitle(c)));
    } else {
      append_lower(out, c);
    }
  }
  return out;
}

std::string with_small_first(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  append_lower(out, static_cast<UChar32>(next_code_point(text, at)));
  return out + text.substr(at);
}

/// WikiHow's traces, removed in the harness's order; the single pass over double spaces belongs to
/// it.
std::string hellaswag_cleaned(const std::string& raw) {
  std::string text = replaced(python_strip(raw), " [title]", ". ");
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find('[', at);
    const auto close = open == text.npos ? open : text.find(']', open);
    // In the harness's pattern the dot matches no newline.
    const bool broken = close != text.npos && text.find('\n', open) < close;
    if (close == text.npos) break;
    out.append(text, at, (broken ? open + 1 : open) - at);
    at = broken ? open + 1 : close + 1;
  }
  out.append(text, at);
  return replaced(out, "  ", " ");
}

void add_hellaswag(const JsonView& record, Json& out) {
  const std::string ctx =
      record.at("ctx_a").as_string() + " " + capitalized(record.at("ctx_b").as_string());
  out["query"] = hellaswag_cleaned(record.at("activity_label").as_string() + ": " + ctx);
  const auto endings = record.at("endings").items();
  if (endings.empty() || endings.size() > k_max_choices)
    record.at("endings").fail("expected 1 to 64 endings");
  Json choices = Json::array();
  for (const auto& ending : endings) choices.push_back(hellaswag_cleaned(ending.as_string()));
  out["choices"] = std::move(choices);
}

void add_winogrande(const JsonView& record, Json& out) {
  const JsonView view = record.at("sentence");
  const std::string& sentence = view.as_string();
  const auto blank = sentence.find('_');
  if (blank == sentence.npos) view.fail("expected a blank (_) in the sentence");
  out["before"] = sentence.substr(0, blank);
  out["after"] = python_strip(sentence.substr(blank + 1));
}

void add_lambada(const JsonView& record, Json& out) {
  const std::string& text = record.at("text").as_string();
  const auto space = text.rfind(' ');
  out["start"] = space == text.npos ? "" : text.substr(0, space);
  out["last_word"] = space == text.npos ? text : text.substr(space + 1);
}

void add_copa(const JsonView& record, Json& out) {
  const JsonView question = record.at("question");
  const bool cause = question.as_string() == "cause";
  if (!cause && question.as_string() != "effect") question.fail("expected cause or effect");
  std::string premise = python_strip(record.at("premise").as_string());
  if (std::size_t end = premise.size(); end > 0) {
    previous_code_point(premise, end);
    premise.resize(end);
  }
  out["premise_start"] = premise + (cause ? " because" : " therefore");
  Json choices = Json::array();
  for (const char* name : {"choice1", "choice2"}) {
    const JsonView choice = record.at(name);
    if (choice.as_string().empty()) choice.fail("expected a choice that is not empty");
    choices.push_back(" " + with_small_first(choice.as_string()));
  }
  out["choices"] = std::move(choices);
}

/// White space inside a pair of signs, next to them, goes.
std::string unpadded(const std::string& text, char open, char close) {
  std::string out;
  std::size_t at = 0;
  for (;;) {
    const auto begin = text.find(open, at);
    const auto end = begin == text.npos ? begin : text.find(close, begin + 1);
    if (end == text.npos) return out.append(text, at);
    out.append(text, at, begin + 1 - at);
    out += python_strip(std::string_view(text).substr(begin + 1, end - begin - 1));
    out += close;
    at = end + 1;
  }
}

/// "/' 5/" becomes "/'[0-9]/": the harness's replacement string, brackets and all.
std::string with_harness_contraction(const std::string& text) {
  std::string out = text;
  for (char digit = '0'; digit <= '9'; ++digit)
    out = replaced(out, std::string("/' ") + digit + "/", "/'[0-9]/");
  return out;
}

void add_wikitext(const JsonView& record, Json& out) {
  std::string text = replaced(record.at("page").as_string(), "s '", "s'");
  text = with_harness_contraction(text);
  for (const auto& [from, to] : {std::pair{" @-@ ", "-"},
                                 {" @,@ ", ","},
                                 {" @.@ ", "."},
                                 {" : ", ": "},
                                 {" ; ", "; "},
                                 {" . ", ". "},
                                 {" ! ", "! "},
                                 {" ? ", "? "},
                                 {" , ", ", "}})
    text = replaced(text, from, to);
  for (const auto& [open, close] :
       {std::pair{'(', ')'}, {'[', ']'}, {'{', '}'}, {'"', '"'}, {'\'', '\''}})
    text = unpadded(text, open, close);
  for (const auto& [from, to] : {std::pair{"= = = =", "===="},
                                 {"= = =", "==="},
                                 {"= =", "=="},
                                 {" \xC2\xB0 ", "\xC2\xB0"},
                                 {" \n", "\n"},
                                 {"\n ", "\n"},
                                 {" N ", " 1 "},
                                 {" 's", "'s"}})
    text = replaced(text, from, to);
  out["text"] = text;
}

void add_scrolls(const JsonView& record, Json& out) {
  const JsonView input = record.at("input");
  const auto split = input.as_string().find("\n\n");
  if (split == std::string::npos) input.fail("expected a query, an empty line and a document");
  out["question"] = input.as_string().substr(0, split);
  out["text"] = input.as_string().substr(split + 2);
}

std::string single_spaced(std::string_view text) {
  std::string out;
  bool space = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_python_space(c)) {
      space = !out.empty();
      continue;
    }
    if (space) out += ' ';
    space = false;
    append_utf8(out, c);
  }
  return out;
}

/// "(A) one (B) two": what stands behind each mark.
Json lettered_choices(const std::string& text) {
  std::vector<std::size_t> marks;
  for (std::size_t at = 0; at + 2 < text.size(); ++at) {
    if (text[at] == '(' && text[at + 1] >= 'A' && text[at + 1] <= 'D' && text[at + 2] == ')')
      marks.push_back(at);
  }
  Json out = Json::array();
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const std::size_t end = i + 1 < marks.size() ? marks[i + 1] : text.size();
    out.push_back(single_spaced(std::string_view(text).substr(marks[i] + 3, end - marks[i] - 3)));
  }
  return out;
}

void add_quality(const JsonView& record, Json& out) {
  add_scrolls(record, out);
  const JsonView input = record.at("input");
  const std::string text = out["text"].get<std::string>();
  const auto last = text.find("(D)");
  const auto split = last == text.npos ? last : text.find("\n\n", last);
  if (split == text.npos) input.fail("expected choices (A) to (D), an empty line and a document");
  Json choices = lettered_choices(text.substr(0, split));
  if (choices.size() > k_max_choices) input.fail("expected at most 64 choices");
  const JsonView answer = value_at(record, "outputs[0] or output");
  const auto gold =
      std::find(choices.begin(), choices.end(), Json(single_spaced(answer.as_string())));
  if (gold == choices.end()) answer.fail("expected one of the choices");
  out["gold"] = gold - choices.begin();
  out["text"] = python_strip(text.substr(split));
  out["choices"] = std::move(choices);
}

}  // namespace

bool is_python_space(char32_t c) { return is_unicode_space(c) || (c >= 0x1C && c <= 0x1F); }

std::string python_strip(std::string_view text) {
  std::size_t begin = 0, end = text.size();
  while (begin < end) {
    std::size_t at = begin;
    if (!is_python_space(next_code_point(text, at))) break;
    begin = at;
  }
  while (end > begin) {
    std::size_t at = end;
    if (!is_python_space(previous_code_point(text, at))) break;
    end = at;
  }
  return std::string(text.substr(begin, end - begin));
}

std::int64_t count_python_words(std::string_view text) {
  std::int64_t words = 1;
  bool in_space = false;
  for (std::size_t at = 0; at < text.size();) {
    const bool space = is_python_space(next_code_point(text, at));
    words += space && !in_space;
    in_space = space;
  }
  return words;
}

Json prepared_record(Prepare prepare, const JsonView& record) {
  Json out = record.raw();
  switch (prepare) {
    case Prepare::none:
      break;
    case Prepare::hellaswag:
      add_hellaswag(record, out);
      break;
    case Prepare::winogrande:
      add_winogrande(record, out);
      break;
    case Prepare::lambada:
      add_lambada(record, out);
      break;
    case Prepare::copa:
      add_copa(record, out);
      break;
    case Prepare::wikitext:
      add_wikitext(record, out);
      break;
    case Prepare::scrolls:
    case Prepare::qmsum:
      add_scrolls(record, out);
      break;
    case Prepare::quality:
      add_quality(record, out);
      break;
  }
  return out;
}

std::vector<Json> qmsum_records(const JsonView& record, std::size_t meeting) {
  if (!record.has("meeting_transcripts")) return {record.raw()};
  std::string transcript;
  for (const auto& turn : record.at("meeting_transcripts").items()) {
    transcript += transcript.empty() ? "" : "\n";
    transcript += turn.at("speaker").as_string() + ": " + turn.at("content").as_string();
  }
  std::vector<Json> out;
  for (const char* list : {"general_query_list", "specific_query_list"}) {
    for (const auto& query : record.at(list).items()) {
      const std::string id =
          "meeting-" + std::to_string(meeting) + "-" + std::to_string(out.size());
      out.push_back({{"id", id},
                     {"pid", id + "_0"},
                     {"input", query.at("query").as_string() + "\n\n" + transcript},
                     {"output", query.at("answer").as_string()}});
    }
  }
  return out;
}

}  // namespace engine
