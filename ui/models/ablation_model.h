#pragma once
/// The component ablation table: one row a run, one column a component, then both differences;
/// values with their 95 % half widths, in percent and points. And the table of configuration
/// differences.

#include <QAbstractTableModel>
#include <vector>

#include "ui/models/run_data.h"

namespace ui {

class AblationModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Role { ValueRole = Qt::UserRole, HalfRole, ComponentRole };

  using QAbstractTableModel::QAbstractTableModel;
  void setRuns(const std::vector<const RunData*>& runs, const std::string& task);

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  enum class Format { markdown, latex, csv, tsv };
  QString text(Format format) const;

 private:
  struct Row {
    QString name;
    std::int64_t step = 0;
    std::vector<std::optional<ScorePoint>> cells;
  };
  QString cell(const Row& row, std::size_t column) const;
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
  std::string task_;
};

class DifferenceModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  using QAbstractTableModel::QAbstractTableModel;
  void setRecipes(const QStringList& names, const std::vector<engine::Recipe>& recipes);
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  QStringList names_;
  std::vector<engine::Difference> rows_;
};

}  // namespace ui
