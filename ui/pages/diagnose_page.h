#pragma once
/// Where, when and by how much the linear half of a run works: the verdict, a row of small views,
/// and one of them in full. Everything is measured beside the event loop and kept beside the store.

#include <QWidget>
#include <filesystem>
#include <vector>

#include "engine/diagnose.h"
#include "ui/background.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QStackedWidget;

namespace ui {

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
  enum View { Exposure, Distance, Length, Layers, Knockout, Maps, Features, WhatIf, Examples };

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
  QComboBox* subject() const { return subject_; }
  QSpinBox* documents() const { return limit_; }
  /// By suffix: html, csv, json, png. False: `notice` says why.
  bool exportTo(const QString& file);
  bool busy() const { return job_->busy() || map_job_->busy() || try_job_->busy(); }
  /// Why measuring must wait; empty: it need not.
  void setBlocked(const QString& reason);

 Q_SIGNALS:
  void notice(const QString& sentence, bool error);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  struct Asked {  ///< what a job measures, settled on the event loop's side
    qint64 run = 0;
    std::filesystem::path store;
    engine::DiagnoseOptions options;
  };
  QWidget* buildHeader();
  QWidget* buildTiles();
  QWidget* buildViews();
  void fillSubjects();
  Asked asked() const;
  void look();
  void setDiagnosis(engine::Diagnosis d);
  void showMaps(const engine::MapQuery& query);
  void tryOut(const engine::WhatIf& setting);
  void sync();
  void askExport();
  static engine::Subject subjectOf(const Asked& asked);
  static std::filesystem::path keptAt(const Asked& asked, const engine::Subject& subject);

  EngineBridge* bridge_;
  engine::Diagnose diagnose_;
  Background* job_;
  Background* map_job_;
  Background* try_job_;
  std::optional<engine::Diagnosis> shown_;
  QString blocked_;
  QComboBox* subject_ = nullptr;
  QLineEdit* tasks_ = nullptr;
  QSpinBox* limit_ = nullptr;
  QPushButton* start_ = nullptr;
  QPushButton* export_ = nullptr;
  JobLine* line_ = nullptr;
  JobLine* small_line_ = nullptr;
  QLabel* headline_ = nullptr;
  QLabel* paragraph_ = nullptr;
  QStackedWidget* whole_ = nullptr;
  QStackedWidget* views_ = nullptr;
  std::vector<DiagnoseTile*> tiles_;
  std::vector<DiagnosisView*> parts_;
  MapsView* maps_ = nullptr;
  WhatIfView* what_if_ = nullptr;
  ExamplesView* examples_ = nullptr;
};

}  // namespace ui
