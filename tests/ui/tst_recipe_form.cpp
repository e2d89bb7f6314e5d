#include <QComboBox>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QTest>

#include "ui/forms/recipe_form.h"
#include "ui/forms/stage_cards.h"
#include "ui/forms/yaml_view.h"
#include "ui/theme.h"

namespace {

/// Another value that the field can take.
QString otherText(const engine::FieldInfo& info, const engine::Value& value) {
  if (const auto* on = std::get_if<bool>(&value)) return *on ? "false" : "true";
  if (std::holds_alternative<std::vector<double>>(value)) return "0.8, 0.4";
  if (std::holds_alternative<std::vector<std::int64_t>>(value)) return "8, 16";
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    if (info.choices.empty()) return "builtin:local";
    return QString::fromStdString(list->size() == 1 ? info.choices.back() : info.choices.front());
  }
  for (const std::string& choice : info.choices)
    if (engine::to_text(value) != choice) return QString::fromStdString(choice);
  if (std::holds_alternative<std::string>(value)) return "another";
  const double now = std::stod(engine::to_text(value));
  if (std::holds_alternative<std::int64_t>(value))
    return QString::number(now + 1 <= info.max ? now + 1 : now - 1, 'f', 0);
  return QString::number(now * 0.5 + 0.011);
}

}  // namespace

class TestRecipeForm : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ui::applyTheme(ui::Scheme::light); }

  void every_field_goes_to_the_recipe_and_back() {
    for (const engine::Preset& preset : engine::presets()) {
      engine::Recipe recipe = preset.recipe;
      int tried = 0;
      ui::RecipeDocument document;
      document.open(preset.recipe);
      ui::RecipeForm form(&document);
      for (const engine::Field& field : engine::fields(recipe)) {
        ui::FieldEditor* editor = form.editor(field.info.path);
        QVERIFY2(editor, field.info.path.c_str());
        const engine::Value before = *document.field(field.info.path);
        QVERIFY2(editor->enter(editor->text()), field.info.path.c_str());
        QVERIFY2(*document.field(field.info.path) == before, field.info.path.c_str());
        const QString text = otherText(field.info, before);
        QVERIFY2(editor->enter(text), field.info.path.c_str());
        QVERIFY2(*document.field(field.info.path) != before, field.info.path.c_str());
        QCOMPARE(document.undoStack()->index(), 1);
        if (ui::FieldEditor* after = form.editor(field.info.path))
          QVERIFY2(engine::from_text(after->text().toStdString(), before) ==
                       document.field(field.info.path),
                   field.info.path.c_str());
        document.undoStack()->undo();
        QVERIFY2(*document.field(field.info.path) == before, field.info.path.c_str());
        QCOMPARE(engine::to_resolved_yaml(document.recipe()),
                 engine::to_resolved_yaml(preset.recipe));
        ++tried;
      }
      QVERIFY(tried > 40);
      if (&preset == &engine::presets().front()) continue;
      break;  // two presets cover both kinds of stages and both kinds of objectives
    }
  }

  void every_control_has_name_help_and_default() {
    ui::RecipeDocument document;
    document.open(engine::presets().front().recipe);
    ui::RecipeForm form(&document);
    for (ui::FieldEditor* editor : form.editors()) {
      QVERIFY(!editor->control()->accessibleName().isEmpty());
      QVERIFY2(editor->control()->whatsThis().contains("Default:"), editor->path().c_str());
    }
  }

  void fields_at_their_defaults_are_folded_and_others_show_themselves() {
    ui::RecipeDocument document;
    document.open(engine::presets().front().recipe);
    ui::RecipeForm form(&document);
    const std::string far = "data.validation_rows";
    QVERIFY(!form.isFolded("attention.window"));
    QVERIFY(form.isFolded(far));
    document.setField(far, std::int64_t(7));
    QVERIFY(!form.isFolded(far));
    document.undoStack()->undo();
    QVERIFY(!form.isFolded(far));  // what was in sight does not go away under the hand
    form.unfold("model", false);
    QVERIFY(form.isFolded(far));
    form.unfold("model", true);
    QVERIFY(!form.isFolded(far));
    form.unfold("model", false);
    auto* find = form.findChild<QLineEdit*>();
    find->setText("held-out rows");
    QVERIFY(!form.isFolded(far));
    QVERIFY(form.isFolded("attention.window"));
    find->clear();
    QVERIFY(form.isFolded(far));
    form.showField(QString::fromStdString(far));
    QVERIFY(!form.isFolded(far));
    engine::Recipe recipe = document.recipe();
    int basic = 0, all = 0;
    for (const engine::Field& field : engine::fields(recipe)) {
      basic += ui::isBasic(field.info.path) ? 1 : 0;
      ++all;
    }
    QVERIFY2(basic * 2 < all + 20,
             qPrintable(QString("%1 of %2 fields are always in sight").arg(basic).arg(all)));
  }

  void a_bad_text_is_told_at_the_field_and_changes_nothing() {
    ui::RecipeDocument document;
    document.open(engine::presets().front().recipe);
    ui::RecipeForm form(&document);
    ui::FieldEditor* editor = form.editor("stages[0].epochs");
    QVERIFY(editor);
    QVERIFY(!editor->enter("three"));
    QVERIFY(editor->control()->property("problem").toBool());
    QCOMPARE(document.undoStack()->count(), 0);
    auto* line = qobject_cast<QLineEdit*>(editor->control());
    line->clear();
    QTest::keyClicks(line, "0");
    QVERIFY(editor->control()->property("problem").toBool());
  }

  void cards_add_move_and_remove_stages() {
    ui::RecipeDocument document;
    document.open(engine::presets().front().recipe);
    ui::StageCards cards(&document);
    const auto stages = document.recipe().stages.size();
    cards.addStage("finetune");
    QCOMPARE(document.recipe().stages.size(), stages + 1);
    cards.moveStage(int(stages), -1);
    cards.removeStage(0);
    QCOMPARE(document.recipe().stages.size(), stages);
    QCOMPARE(document.undoStack()->count(), 3);
    while (document.undoStack()->canUndo()) document.undoStack()->undo();
    QCOMPARE(engine::to_resolved_yaml(document.recipe()),
             engine::to_resolved_yaml(engine::presets().front().recipe));
  }

  void yaml_and_form_are_one_recipe() {
    ui::RecipeDocument document;
    document.open(engine::presets().front().recipe);
    ui::YamlView yaml(&document);
    ui::RecipeForm form(&document);
    form.editor("seed")->enter("17");
    QVERIFY(yaml.editor()->toPlainText().contains("seed: 17"));
    QString text = yaml.editor()->toPlainText();
    yaml.editor()->setPlainText(text.replace("seed: 17", "seed: 18"));
    yaml.apply();
    QCOMPARE(document.recipe().seed, 18);
    QCOMPARE(form.editor("seed")->text(), "18");
    yaml.editor()->setPlainText("nonsense: 1\n");
    yaml.apply();
    QCOMPARE(document.recipe().seed, 18);
  }
};

QTEST_MAIN(TestRecipeForm)
#include "tst_recipe_form.moc"
