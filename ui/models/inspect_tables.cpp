#include "ui/models/inspect_tables.h"

#include <QLocale>
#include <QRegularExpression>
#include <algorithm>
#include <map>

#include "ui/forms/token_view.h"

namespace ui {
namespace {

using Mark = Cell::Mark;

QString text(const std::string& s) { return QString::fromStdString(s); }

Cell number(std::int64_t n) { return {grouped(n), qint64(n)}; }

/// The beginning of a text on one line.
QString head(const std::string& s, std::size_t bytes = 240) {
  return QString::fromUtf8(s.data(), qsizetype(std::min(bytes, s.size()))).simplified();
}

std::int64_t elements(const engine::TensorInfo& tensor) {
  std::int64_t n = 1;
  for (auto d : tensor.shape) n *= d;
  return n;
}

}  // namespace

QString grouped(std::int64_t n) { return QLocale(QLocale::English).toString(qint64(n)); }

QString bytesText(std::uint64_t bytes) {
  if (bytes < 1024) return QString("%1 B").arg(bytes);
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = double(bytes) / 1024;
  int unit = 0;
  for (; value >= 1024 && unit < 3; ++unit) value /= 1024;
  return QString("%1 %2").arg(value, 0, 'f', value < 10 ? 2 : value < 100 ? 1 : 0).arg(units[unit]);
}

QString countText(double n) {
  if (n >= 1e9) return QString("%1 G").arg(n / 1e9, 0, 'g', 3);
  if (n >= 1e6) return QString("%1 M").arg(n / 1e6, 0, 'g', 3);
  if (n >= 1e4) return QString("%1 k").arg(n / 1e3, 0, 'f', 0);
  return QString::number(n, 'f', 0);
}

QString shapeText(const std::vector<std::int64_t>& shape) {
  if (shape.empty()) return "scalar";
  QStringList parts;
  for (auto d : shape) parts << QString::number(d);
  return parts.join(" × ");
}

std::vector<Column> tensorColumns() {
  return {{"name"}, {"shape", true}, {"type"}, {"size", true, "bytes in the file"}, {"file", false, "the safetensors file that holds it"}};
}

Rows tensorRows(const engine::ModelInfo& info) {
  Rows rows;
  for (const auto& t : info.tensors)
    rows.push_back({{text(t.name), qint64(rows.size())},
                    {shapeText(t.shape), qint64(elements(t)), grouped(elements(t)) + " numbers"},
                    {text(t.dtype)},
                    {bytesText(t.bytes), qint64(t.bytes), grouped(std::int64_t(t.bytes)) + " bytes"},
                    {text(t.file), {}, text(t.file)}});
  return rows;
}

std::vector<Column> layerColumns() {
  return {{"layer", true},
          {"own window, tokens", true, "the model's own sliding window; – where every token is seen"},
          {"query heads", true},
          {"key/value heads", true},
          {"parameters", true},
          {"size", true, "bytes in the files"}};
}

Rows layerRows(const engine::ModelInfo& info) {
  struct Sum {
    std::int64_t parameters = 0;
    std::uint64_t bytes = 0;
  };
  std::map<int, Sum> sums;
  static const QRegularExpression layer("\\blayers\\.(\\d+)\\.");
  for (const auto& t : info.tensors) {
    const auto match = layer.match(text(t.name));
    if (!match.hasMatch()) continue;
    Sum& sum = sums[match.captured(1).toInt()];
    sum.parameters += elements(t);
    sum.bytes += t.bytes;
  }
  Rows rows;
  for (int i = 0; i < int(info.layers); ++i) {
    const auto window = std::size_t(i) < info.windows.size() ? info.windows[std::size_t(i)] : 0;
    const auto found = sums.find(i);
    const Sum sum = found == sums.end() ? Sum{} : found->second;
    rows.push_back({number(i),
                    window > 0 ? number(window) : Cell{"–", qint64(0)},
                    number(info.heads),
                    number(info.kv_heads),
                    number(sum.parameters),
                    {bytesText(sum.bytes), qint64(sum.bytes)}});
  }
  return rows;
}

std::vector<Column> reportColumns() { return {{"what"}, {"tensor"}, {"detail"}}; }

Rows reportRows(const engine::ModelInfo& info) {
  Rows rows;
  for (const auto& name : info.missing)
    rows.push_back({{"missing", 0, {}, Mark::error}, {text(name)}, {"config.json asks for it, no file has it"}});
  for (const auto& m : info.misshaped)
    rows.push_back({{"other shape", 1, {}, Mark::error},
                    {text(m.name)},
                    {QString("config.json asks for %1, the file has %2").arg(shapeText(m.expected), shapeText(m.found))}});
  for (const auto& name : info.unsupported)
    rows.push_back({{"other type", 2, {}, Mark::error}, {text(name)}, {"weights are F16, BF16, F32 or F64"}});
  for (const auto& name : info.unexpected)
    rows.push_back({{"unexpected", 3, {}, Mark::error}, {text(name)}, {"in the files, not a part of this architecture"}});
  for (const auto& name : info.ignored)
    rows.push_back({{"not used", 4, {}, Mark::secondary}, {text(name)}, {"known to be of no use; passed over"}});
  return rows;
}

std::vector<Column> specialTokenColumns() { return {{"id", true}, {"token", false, {}, true}, {"role"}}; }

Rows specialTokenRows(const engine::TokenizerInfo& info) {
  Rows rows;
  for (const auto& s : info.special) rows.push_back({number(s.id), {text(s.text)}, {text(s.role)}});
  return rows;
}

std::vector<Column> documentColumns() {
  return {{"#", true, "in reading order, from 0"},
          {"tokens", true, "with the tokenizer's special tokens"},
          {"bytes", true},
          {"set", false, "train, or held out for validation by the hash of the text"},
          {"begins"}};
}

Rows documentRows(const std::vector<engine::DocumentInfo>& documents) {
  Rows rows;
  for (const auto& d : documents)
    rows.push_back({number(d.index),
                    d.tokens < 0 ? Cell{"–", qint64(-1), "choose a tokenizer to count"} : number(d.tokens),
                    number(std::int64_t(d.text.size())),
                    d.held_out ? Cell{"held out", 1, {}, Mark::secondary} : Cell{"train", 0},
                    {head(d.text)}});
  return rows;
}

std::vector<Column> exampleColumns() {
  return {{"#", true, "number in the file, from 0"}, {"gold", true, "number of the right choice"}, {"question"}};
}

Rows exampleRows(const std::vector<engine::TaskExampleInfo>& examples) {
  Rows rows;
  for (const auto& e : examples) {
    const std::string& context = e.choices.empty() ? std::string() : e.choices.front().context;
    // The question stands in the last paragraph, behind instructions and shots.
    const QString whole = QString::fromStdString(context).trimmed();
    const QString end = whole.mid(whole.lastIndexOf("\n\n") + 1).simplified().left(200);
    rows.push_back({number(e.doc_id), number(e.gold), {end.isEmpty() ? "(no context)" : end}});
  }
  return rows;
}

bool lengthNormalised(const engine::TaskExampleInfo& example) {
  return std::any_of(example.choices.begin(), example.choices.end(), [](const auto& c) { return c.characters > 0; });
}

std::vector<Column> choiceColumns(const std::vector<engine::ComponentScores>& scores, bool normalised) {
  std::vector<Column> columns = {{"", false, "the right choice"}, {"choice"}, {"tokens", true, "tokens of the continuation"}};
  for (const auto& s : scores) {
    columns.push_back({text(s.component), true,
                       "log-likelihood, natural logarithm, summed over the continuation's tokens; ▸ the highest"});
    if (normalised)
      columns.push_back({"a character", true, "divided by the choice's characters (acc_norm); ▸ the highest"});
  }
  return columns;
}

Rows choiceRows(const engine::TaskExampleInfo& example, const std::vector<engine::ComponentScores>& scores) {
  const bool normalised = lengthNormalised(example);
  const bool contexts_differ = std::any_of(example.choices.begin(), example.choices.end(),
                                           [&](const auto& c) { return c.context != example.choices.front().context; });
  Rows rows;
  for (std::size_t i = 0; i < example.choices.size(); ++i) {
    const auto& c = example.choices[i];
    const bool gold = std::int64_t(i) == example.gold && example.choices.size() > 1;
    QString shown = visibleText(c.continuation);
    if (contexts_differ) shown = visibleText(c.context.substr(c.context.size() - std::min<std::size_t>(12, c.context.size()))) + " ¦ " + shown;
    std::vector<Cell> row = {{gold ? "✓ gold" : "", gold ? 0 : 1, {}, gold ? Mark::good : Mark::none},
                             {shown, qint64(i), text(c.continuation)},
                             c.tokens.empty() ? Cell{"–", qint64(0)} : number(std::int64_t(c.tokens.size() - c.first_scored))};
    for (const auto& s : scores) {
      if (i >= s.choices.size()) continue;
      auto value = [&](double v, bool best) {
        return Cell{(best ? "▸ " : "") + QString::number(v, 'f', 4), v, {}, best ? Mark::strong : Mark::none};
      };
      const double sum = s.choices[i].log_likelihood;
      row.push_back(value(sum, s.best == std::int64_t(i) && example.choices.size() > 1));
      if (s.choices[i].greedy) row.back().tip = "every token is the likeliest one";
      if (normalised)
        row.push_back(value(sum / double(std::max<std::int64_t>(1, c.characters)),
                            s.best_norm == std::int64_t(i) && example.choices.size() > 1));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<std::pair<QString, QString>> modelFacts(const engine::ModelInfo& info) {
  std::vector<std::pair<QString, QString>> facts = {
      {"Architecture", text(info.architecture)},
      {"Layers", grouped(info.layers)},
      {"Query heads", grouped(info.heads)},
      {"Key/value heads", info.kv_heads == info.heads ? grouped(info.kv_heads) + ", one a query head"
                                                : QString("%1, shared by %2 each").arg(grouped(info.kv_heads), grouped(info.heads / std::max<std::int64_t>(1, info.kv_heads)))},
      {"Head width", grouped(info.head_dim)},
      {"Model width", grouped(info.hidden)},
      {"MLP width", grouped(info.mlp)},
      {"Vocabulary", grouped(info.vocabulary)},
      {"Positions", grouped(info.positions)},
      {"RoPE", text(info.rope)}};
  std::int64_t sliding = 0, window = 0;
  for (auto w : info.windows) sliding += w > 0, window = std::max(window, w);
  facts.emplace_back("Own window", sliding == 0 ? QString("none: every layer sees all tokens")
                                                : QString("%1 tokens in %2 of %3 layers").arg(grouped(window), grouped(sliding), grouped(info.layers)));
  facts.emplace_back("Embeddings", info.tied_embeddings ? "tied: the head is the embedding" : "head apart");
  facts.emplace_back("Biases", info.biases.empty() ? QString("none") : text(info.biases));
  facts.emplace_back("Stored as", text(info.dtype));
  facts.emplace_back("Parameters", QString("%1  (%2)").arg(countText(double(info.parameters)), grouped(info.parameters)));
  facts.emplace_back("On disk", bytesText(info.bytes));
  return facts;
}

}  // namespace ui
