#pragma once
/// Where, when and by how much the linear half of a run works: the verdict, a row of small views,
/// and one of them in full. Everything is measured beside the event loop and kept beside the store.

#include <QWidget>
#include <vector>

#include "ui/background.h"
#include "ui/models/diagnosis_source.h"

class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QStackedWidget;

namespace ui {

class BesideView;
class CheckpointPicker;
class DiagnoseTile;
class DiagnosisView;
class EngineBridge;
class ExamplesView;
class JobLine;
class MapsView;
class WhatIfView;

class DiagnosePage : public QWidget {
  Q_OBJECT

 public:
  enum View { Exposure, Distance, Length, Layers, Knockout, Maps, Features, WhatIf, Examples, Beside };

  /// `diagnose` empty: this build measures nothing.
  DiagnosePage(EngineBridge* bridge, engine::Diagnose diagnose, QWidget* parent = nullptr);
  void setRun(qint64 id);  ///< chosen, not yet measured; a diagnosis kept from before is shown
  void start();
  void showView(View view);
  View view() const;
  DiagnoseTile* tile(View view) const { return tiles_[std::size_t(view)]; }
  const std::optional<engine::Diagnosis>& shown() const { return shown_; }
  QString verdictText() const;
  MapsView* maps() const { return maps_; }
  WhatIfView* whatIf() const { return what_if_; }
  ExamplesView* examples() const { return examples_; }
  BesideView* beside() const { return beside_view_; }
  CheckpointPicker* subject() const { return subject_; }
  QSpinBox* documents() const { return limit_; }
  /// By suffix: html and pdf (with the checkpoints beside it), csv, json, png. False: `notice` says why.
  bool exportTo(const QString& file);
  bool busy() const { return job_->busy() || map_job_->busy() || try_job_->busy() || beside_job_->busy(); }
  /// Why measuring must wait; empty: it need not.
  void setBlocked(const QString& reason);
  /// Why nothing at all may be computed, maps and single settings included; empty: it may.
  void setQuiet(const QString& reason);

 Q_SIGNALS:
  void notice(const QString& sentence, bool error);
  void busyChanged();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  QWidget* buildHeader();
  QWidget* buildTiles();
  QWidget* buildViews();
  void connectViews();
  DiagnosisSource asked(const CheckpointPicker& of) const;
  void askOthers();
  void look();
  void setDiagnosis(engine::Diagnosis d, const DiagnosisSource& source, std::optional<qint64> step);
  void showMaps(const engine::MapQuery& query);
  void tryOut(const engine::WhatIf& setting);
  void saveTried(const engine::WhatIfResult& tried);
  void showSaved(qint64 run);
  void addBeside();
  void showBeside();
  QString whySavingWaits() const;
  QString whyWait() const { return quiet_.isEmpty() ? blocked_ : quiet_; }
  bool mayCompute(JobLine* line);  ///< false: the line says why not
  void sync();
  void askExport();

  EngineBridge* bridge_;
  engine::Diagnose diagnose_;
  Background* job_;
  Background* map_job_;
  Background* try_job_;
  Background* beside_job_;
  std::optional<engine::Diagnosis> shown_;
  DiagnosisSource source_;      ///< of what is shown; other checkpoints may be newer, or chosen, since
  std::optional<qint64> step_;  ///< of the checkpoint shown
  std::vector<engine::Diagnosis> beside_;  ///< of the same tasks and examples
  QString blocked_, quiet_;
  CheckpointPicker* subject_ = nullptr;
  QLineEdit* tasks_ = nullptr;
  QSpinBox* limit_ = nullptr;
  QPushButton* start_ = nullptr;
  QPushButton* export_ = nullptr;
  JobLine* line_ = nullptr;
  JobLine* map_line_ = nullptr;
  JobLine* try_line_ = nullptr;
  JobLine* beside_line_ = nullptr;
  QLabel* headline_ = nullptr;
  QLabel* paragraph_ = nullptr;
  QLabel* no_mass_ = nullptr;
  QStackedWidget* whole_ = nullptr;
  QStackedWidget* views_ = nullptr;
  std::vector<DiagnoseTile*> tiles_;
  std::vector<DiagnosisView*> parts_;
  MapsView* maps_ = nullptr;
  WhatIfView* what_if_ = nullptr;
  ExamplesView* examples_ = nullptr;
  BesideView* beside_view_ = nullptr;
};

}  // namespace ui
