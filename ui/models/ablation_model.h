#pragma once
/// The ablation table in two forms: one row a run and one column a component, for one choice of
/// tasks; or the paper's form, one row a run and component, one column a task. Values with their
/// 95 % half widths, in percent and points. And the table of configuration differences.

#include <QAbstractTableModel>
#include <vector>

#include "ui/models/comparison.h"

namespace ui {

class AblationModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Role { ValueRole = Qt::UserRole, HalfRole, ComponentRole, PrintedRole };
  enum class Layout { components, tasks };
  enum class Format { markdown, latex, csv, tsv };

  using QAbstractTableModel::QAbstractTableModel;
  /// `task` is what the columns of components are measured on; the form by tasks shows every one.
  void setRows(const std::vector<ComparedRow>& rows, Layout layout, const std::string& task);

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  /// Markdown and LaTeX as shown; CSV and TSV with every digit and the half widths in columns of
  /// their own; where groups have another spread, both of its sides and its name.
  QString text(Format format) const;

 private:
  struct Head {
    QString title;          ///< with its unit
    std::string key;        ///< component or task, for files
    bool difference = false;
  };
  struct Row {
    QStringList words;       ///< of the leading columns
    std::string component;   ///< the row's own; empty in the form by components
    std::vector<std::optional<Estimate>> cells;
    std::int64_t step = 0;
    bool printed = false;
  };
  QString shown(const Row& row, int column) const;
  std::string componentAt(const Row& row, std::size_t cell) const;
  void addTaskRows(const ComparedRow& row, const std::vector<std::string>& tasks);
  QString spreadOf(const Row& row) const;
  bool otherSpread() const;
  QStringList dataHead() const;
  QStringList dataLine(const Row& row) const;

  QStringList lead_{"run"};
  std::vector<Head> heads_;
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
