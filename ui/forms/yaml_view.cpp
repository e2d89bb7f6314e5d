#include "ui/forms/yaml_view.h"

#include <QCheckBox>
#include <QEvent>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QTimer>

#include "ui/theme.h"

namespace ui {

YamlView::YamlView(RecipeDocument* document, QWidget* parent)
    : QWidget(parent), document_(document) {
  text_ = new QPlainTextEdit;
  useFont(text_, TextRole::monospace);
  text_->setLineWrapMode(QPlainTextEdit::NoWrap);
  text_->setTabStopDistance(2 * QFontMetricsF(text_->font()).horizontalAdvance(' '));
  text_->setAccessibleName("Recipe as YAML");
  text_->setTabChangesFocus(true);
  all_ = new QCheckBox("Every field");
  all_->setToolTip("Also fields that have their default value");
  report_ = new QLabel;
  useFont(report_, TextRole::secondary);
  report_->setWordWrap(true);
  report_->setAlignment(Qt::AlignTop);
  wait_ = new QTimer(this);
  wait_->setSingleShot(true);
  wait_->setInterval(350);

  auto* side = new QVBoxLayout;
  side->addWidget(all_);
  side->addWidget(report_, 1);
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(16);
  layout->addWidget(text_, 2);
  layout->addLayout(side, 1);

  connect(text_, &QPlainTextEdit::textChanged, this, [this] {
    if (!writing_) wait_->start();
  });
  connect(wait_, &QTimer::timeout, this, &YamlView::apply);
  connect(all_, &QCheckBox::toggled, this, &YamlView::showRecipe);
  connect(document_, &RecipeDocument::changed, this, [this] {
    if (!applying_) showRecipe();
  });
  showRecipe();
}

void YamlView::showRecipe() {
  const QString text =
      QString::fromStdString(all_->isChecked() ? engine::to_resolved_yaml(document_->recipe())
                                               : engine::to_yaml(document_->recipe()));
  report(document_->problems());
  if (text_->toPlainText() == text) return;
  writing_ = true;
  wait_->stop();
  text_->setPlainText(text);
  writing_ = false;
}

void YamlView::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (changesLook(event) && report_) apply();
}

void YamlView::apply() {
  const engine::ParsedRecipe parsed = engine::parse_recipe(text_->toPlainText().toStdString());
  if (!parsed.problems.empty()) {
    report(parsed.problems);
    return;
  }
  applying_ = true;
  document_->change("Edit YAML", parsed.recipe, "yaml");
  applying_ = false;
  report(document_->problems());
}

void YamlView::report(const std::vector<engine::Problem>& problems) {
  const Colors& c = colorsOf(this);
  if (problems.empty()) {
    report_->setText(
        "Reads without problems. The form and this text are the same recipe; <code>equipoise "
        "run</code> takes it as a file.");
    return;
  }
  QString html;
  for (const auto& p : problems) {
    const QString where =
        p.path.empty() ? QString()
                       : "<code>" + QString::fromStdString(p.path).toHtmlEscaped() + "</code>: ";
    html += QString("<p style='color:%1'>%2%3</p>")
                .arg((p.warning ? c.warning : c.error).name(), where,
                     QString::fromStdString(p.message).toHtmlEscaped());
  }
  report_->setText(html);
}

}  // namespace ui
