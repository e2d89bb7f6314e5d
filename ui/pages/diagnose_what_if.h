#pragma once
/// Controls whose setting is evaluated at once on the chosen probe, beside the stored one; a setting worth keeping is
/// stored with the run.

#include "ui/models/run_data.h"
#include "ui/pages/diagnose_views.h"

namespace ui {

class WhatIfView : public DiagnosisView {
  Q_OBJECT

 public:
  explicit WhatIfView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;
  /// `stored`: the stored setting on the same examples.
  void setTried(const engine::WhatIfResult& result, const engine::ComponentScore& stored);
  void setSaved(const std::map<ScoreKey, std::vector<ScorePoint>>& settings);  ///< RunData::what_ifs
  void setSavingBlocked(const QString& reason);  ///< empty: what was tried can be stored with the run
  engine::WhatIf setting() const;
  std::string probe() const;  ///< a task; empty: all that were asked
  CopyTable* table() const { return table_; }
  QComboBox* probes() const { return probe_; }
  QDoubleSpinBox* weight() const { return weight_; }
  QLineEdit* layers() const { return layers_; }
  QPushButton* save() const { return save_; }
  const std::optional<engine::WhatIfResult>& tried() const { return tried_; }
  void ask();  ///< for what the controls say

 Q_SIGNALS:
  void wanted(const engine::WhatIf& setting);
  void saveWanted(const engine::WhatIfResult& tried);

 private:
  QWidget* buildControls();
  void refresh();
  void refreshBars();
  void syncSave();
  QComboBox* probe_;
  QComboBox* component_;
  QDoubleSpinBox* weight_;
  QSpinBox* window_;
  QComboBox* context_;
  QSpinBox* sinks_;
  QLineEdit* layers_;
  QPushButton* save_;
  QLabel* told_;
  BarPlot* bars_;
  CopyTable* table_;
  QString blocked_;
  std::int64_t layer_count_ = 0;
  bool probed_ = false;  ///< what was tried last is of one probe
  std::optional<engine::WhatIfResult> stored_, tried_;
  std::optional<engine::ComponentScore> stored_there_;  ///< the stored setting where it was tried
  std::vector<engine::WhatIfResult> sweep_, history_, saved_;
};

}  // namespace ui
