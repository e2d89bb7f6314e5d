#pragma once
/// The log: a ring of lines, oldest dropped, filtered by level and text.

#include <QAbstractListModel>
#include <QDateTime>
#include <deque>
#include <vector>

namespace ui {

class LogModel : public QAbstractListModel {
  Q_OBJECT

 public:
  enum Role { LevelRole = Qt::UserRole };

  explicit LogModel(int capacity = 20000, QObject* parent = nullptr);
  /// Kept until the next turn of the event loop, then added in one go.
  void add(qint64 run, int level, const QString& text);
  void flush();
  void setFilter(int lowest_level, const QString& text);
  void clear();
  QString allText() const;  ///< the lines that pass the filter

  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;

 private:
  struct Line {
    QDateTime at;
    qint64 run;
    int level;
    QString text;
  };
  bool passes(const Line& line) const;
  QString lineText(const Line& line) const;
  void refilter();

  std::deque<Line> lines_;
  std::deque<std::size_t> shown_;  ///< serial numbers of lines that pass
  std::size_t first_ = 0;          ///< serial number of lines_.front()
  std::vector<Line> waiting_;
  bool queued_ = false;
  int capacity_, level_ = 1;
  QString words_;
};

}  // namespace ui
