#include "ui/models/experiments.h"

#include <QDirIterator>
#include <QFile>
#include <algorithm>

#include "engine/paper.h"

/// A static library's resources are not seen until they are asked for; outside of any namespace by
/// Qt's rule.
static void loadExperiments() { Q_INIT_RESOURCE(experiments); }

namespace ui {
namespace {

QString textOf(const QString& id) {
  QFile file(":/experiments/" + id + ".yaml");
  return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
}

/// "# one\n# two\nname: …" → "one two".
QString headComment(const QString& yaml) {
  QStringList lines;
  for (const QString& line : yaml.split('\n')) {
    if (!line.startsWith('#')) break;
    lines << line.mid(1).trimmed();
  }
  return lines.join(' ');
}

struct Order {
  int kind = 0, number = 0;
  bool operator<(const Order& o) const {
    return kind != o.kind ? kind < o.kind : number < o.number;
  }
};

Order orderOf(const QString& folder) {
  if (folder.startsWith("table")) return {1, folder.mid(5).toInt()};
  if (folder.startsWith("figure")) return {2, folder.mid(6).toInt()};
  return {0, 0};
}

Experiment describe(const QString& id) {
  Experiment e;
  e.id = id;
  const QString folder = id.section('/', -2, -2), file = id.section('/', -1);
  const std::string key = folder.toStdString();
  if (const auto* table = engine::find_paper_table(key)) {
    e.group = QString::fromStdString(table->title());
    e.about = QString::fromStdString(table->caption);
  } else if (const auto* figure = engine::find_paper_figure(key)) {
    e.group = "Figure " + folder.mid(6);
    e.about = QString::fromStdString(figure->caption);
  } else {
    e.group = "First look";
    e.about = "The methods side by side on the embedded model, in minutes.";
  }
  const QString yaml = textOf(id);
  e.notes = headComment(yaml);
  e.embedded = yaml.contains("model: builtin:tiny") || !yaml.contains("\nmodel:");
  e.title = file;
  if (file.endsWith("-embedded")) e.title = file.chopped(9) + ", embedded model";
  return e;
}

}  // namespace

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> all = [] {
    loadExperiments();
    std::vector<Experiment> out;
    QDirIterator files(":/experiments", {"*.yaml"}, QDir::Files, QDirIterator::Subdirectories);
    while (files.hasNext()) {
      const QString path = files.next();
      out.push_back(describe(path.mid(int(qstrlen(":/experiments/"))).chopped(5)));
    }
    std::sort(out.begin(), out.end(), [](const Experiment& a, const Experiment& b) {
      const Order x = orderOf(a.id.section('/', -2, -2)), y = orderOf(b.id.section('/', -2, -2));
      if (x < y || y < x) return x < y;
      return a.embedded != b.embedded ? a.embedded : a.id < b.id;
    });
    return out;
  }();
  return all;
}

engine::ParsedRecipe experimentRecipe(const Experiment& experiment) {
  engine::ParsedRecipe parsed = engine::parse_recipe(textOf(experiment.id).toStdString());
  if (parsed.recipe.name == engine::Recipe{}.name)
    parsed.recipe.name = experiment.id.section('/', -1).toStdString();
  return parsed;
}

}  // namespace ui
