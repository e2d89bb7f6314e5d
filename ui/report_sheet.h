#pragma once
/// The pages of a PDF report, filled from the top: texts, tables, figures. Figures are vectors.

#include <QColor>
#include <QFont>
#include <QPainter>
#include <QPicture>
#include <functional>

class QAbstractItemModel;
class QPdfWriter;

namespace ui {

/// Points of 1/72 inch on A4; what does not fit goes to the next page. Always in the light colours, as paper is.
class Sheet {
 public:
  explicit Sheet(QPdfWriter& pdf);
  double width() const { return width_; }
  void newPage();
  void space(double height) { y_ += height; }
  void text(const QString& text, double size, const QColor& color, int weight = QFont::Normal);
  /// Lines that are never wrapped, as many a page as fit.
  void code(const QString& text, double size, const QColor& color);
  void figure(const QPicture& picture, QSize size);
  /// Something of that height, at most a page's, drawn into the rectangle that it gets.
  void draw(double height, const std::function<void(QPainter&, const QRectF&)>& what);
  /// The first `most` rows; a wide table gets smaller type. 0: all.
  void table(const QAbstractItemModel& model, int most = 0);

 private:
  void need(double height);
  QPdfWriter& pdf_;
  QPainter painter_;
  double width_ = 0, height_ = 0, y_ = 0;
};

/// Whole or not at all: an older report of that name stays where this one fails. Throws engine::InputError with the file
/// where it cannot be written.
void writePdf(const QString& file, const QString& title, const std::function<void(Sheet&)>& fill);

}  // namespace ui
