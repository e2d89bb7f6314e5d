#pragma once
/// The runs of the store, newest first, with state, progress and key results; and a proxy that
/// filters them by text.

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <functional>
#include <map>
#include <vector>

#include "ui/models/run_data.h"
#include "ui/models/run_expression.h"

namespace ui {

struct RunRow {
  engine::RunInfo info;
  double progress = 0;                 ///< 0..1
  std::optional<ScorePoint> hybrid{};  ///< accuracy over all tasks
  std::optional<ScorePoint> delta_h_swa{};
  std::map<std::string, double> results{};  ///< last values over all tasks, percent and points
  QString group{};                          ///< under the model's grouping
  bool chosen = false;                      ///< ticked for comparison
  bool read = false;                        ///< its results were looked for
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
    ChosenRole,  ///< invalid where it cannot be ticked
    ReadRole,
    GroupRole,    ///< what the run is grouped by; empty: no grouping
    StarRole,     ///< invalid where it cannot be starred; setting it asks by starAsked
    ArchivedRole
  };

  explicit RunListModel(QObject* parent = nullptr);
  /// Keeps rows of runs that stay, so that a selection survives.
  void setRuns(const std::vector<engine::RunInfo>& runs);
  void setResults(const RunData& data);
  /// Off: its runs cannot be ticked or starred, as those in the trash.
  void setTickable(bool on) { tickable_ = on; }
  void setChosen(const std::vector<engine::RunId>& runs);
  std::vector<engine::RunId> chosen() const;
  engine::RunId idAt(int row) const;
  QModelIndex indexOf(engine::RunId id) const;
  RunFacts facts(int row) const;
  /// "": not at all; "setting": equal recipes but for name and seed; "state", "tags", "sweep", "device"; or
  /// a key of the recipe such as "attention.window".
  void setGrouping(const QString& key);
  QString grouping() const { return grouping_; }
  /// Settings in which the runs differ, for grouping.
  QStringList differingSettings() const;

  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;

 Q_SIGNALS:
  void chosenChanged();
  void starAsked(qint64 run, bool on);

 private:
  void updateGroups();
  std::vector<RunRow> rows_;
  QString grouping_;
  bool tickable_ = true;
};

/// Runs that pass a RunExpression, in the order of their groups where there are groups.
class RunFilter : public QSortFilterProxyModel {
  Q_OBJECT

 public:
  explicit RunFilter(QObject* parent = nullptr);
  void setWords(const QString& text);
  QString problem() const { return problem_; }  ///< of the expression; empty: it is read
  void show(bool archived, bool starred_only);  ///< archived runs pass only where asked for
  void regroup();                               ///< after the model's grouping has changed

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
  bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

 private:
  RunExpression expression_;
  QString problem_;
  bool archived_ = false, starred_only_ = false;
};

/// What a group is called: GroupRole without what only tells equal names apart.
QString groupTitle(const QString& group);
QString stateText(engine::RunState state);
/// 93 → "1 min 33 s".
QString durationText(double seconds);

}  // namespace ui
