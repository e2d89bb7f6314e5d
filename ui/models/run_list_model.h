#pragma once
/// The runs of the store, newest first, with state, progress and key results; and a proxy that
/// filters them by text.

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <functional>
#include <vector>

#include "ui/models/run_data.h"

namespace ui {

struct RunRow {
  engine::RunInfo info;
  double progress = 0;               ///< 0..1
  std::optional<ScorePoint> hybrid;  ///< accuracy over all tasks
  std::optional<ScorePoint> delta_h_swa;
  bool chosen = false;  ///< ticked for comparison
  bool read = false;    ///< its results were looked for
};

class RunListModel : public QAbstractListModel {
  Q_OBJECT

 public:
  enum Role {
    IdRole = Qt::UserRole,
    StateRole,
    ProgressRole,
    ResultRole,
    DetailRole,
    FilterRole,
    ChosenRole,
    ReadRole
  };

  explicit RunListModel(QObject* parent = nullptr);
  /// Keeps rows of runs that stay, so that a selection survives.
  void setRuns(const std::vector<engine::RunInfo>& runs);
  void setResults(const RunData& data);
  void setChosen(const std::vector<engine::RunId>& runs);
  std::vector<engine::RunId> chosen() const;
  engine::RunId idAt(int row) const;
  QModelIndex indexOf(engine::RunId id) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;

 Q_SIGNALS:
  void chosenChanged();

 private:
  std::vector<RunRow> rows_;
};

/// Words that must all occur in name, state, tags, notes or the recipe's `key: value` lines.
/// `-word` must not.
class RunFilter : public QSortFilterProxyModel {
  Q_OBJECT

 public:
  using QSortFilterProxyModel::QSortFilterProxyModel;
  void setWords(const QString& text);

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

 private:
  QStringList words_;
};

QString stateText(engine::RunState state);
/// 93 → "1 min 33 s".
QString durationText(double seconds);

}  // namespace ui
