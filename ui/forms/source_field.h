#pragma once
/// Where something is read from: a typed path, a name that is built in, one of the recent ones, a
/// folder or file from the dialog or dropped here.

#include <QWidget>

class QComboBox;
class QLabel;
class QSettings;

namespace ui {

class SourceField : public QWidget {
  Q_OBJECT

 public:
  enum class Kind { folder, file_or_folder };

  /// `key` names the list of recent ones in the settings; `fixed` are always offered.
  SourceField(const QString& label, const QString& key, const QStringList& fixed, Kind kind,
              QSettings* settings, QWidget* parent = nullptr);
  QString source() const;
  void setSource(const QString& source);  ///< without telling
  void choose(const QString& source);  ///< as if typed and confirmed
  void remember(const QString& source);  ///< it could be read: offer it again
  void browse();
  QComboBox* combo() const { return combo_; }

 Q_SIGNALS:
  void chosen(const QString& source);

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void fill();
  void commit();

  QString key_;
  QStringList fixed_;
  Kind kind_;
  QSettings* settings_;
  QComboBox* combo_;
  QString told_;
};

}  // namespace ui
