#pragma once
/// Tokens of a text as chips on alternating grounds, wrapped; a gap of white space is visible. Hover
/// or the arrow keys tell id, bytes and vocabulary word of one; where documents begin, a line begins
/// with a mark. Only what is in sight is drawn, so a long row costs little.

#include <QAbstractScrollArea>
#include <vector>

#include "engine/inspect.h"

namespace ui {

/// Text with spaces as "·", line ends as "↵", tabs as "→" and stray bytes as "\xE2".
QString visibleText(const std::string& bytes);
/// "id 262 · bytes 20 61 · “Ġa”"; `position` from 0.
QString tokenFacts(const engine::TokenPiece& token, qsizetype position);

class TokenView : public QAbstractScrollArea {
  Q_OBJECT

 public:
  explicit TokenView(const QString& name, QWidget* parent = nullptr);
  /// `starts`: positions where a document begins; `scored_from`: tokens from here on are underlined.
  void setTokens(std::vector<engine::TokenPiece> tokens, std::vector<std::int64_t> starts = {},
                 std::int64_t scored_from = -1);
  void setPlaceholder(const QString& text);
  void select(int token);  ///< −1: none
  int selected() const { return selected_; }
  const std::vector<engine::TokenPiece>& tokens() const { return tokens_; }
  QRect tokenRect(int token) const;  ///< in the viewport
  QString selectionText() const;
  QSize sizeHint() const override;

 Q_SIGNALS:
  void tokenChosen(int token);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool viewportEvent(QEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void arrange();
  int tokenAt(QPoint at) const;
  int lineHeight() const;
  void drawToken(QPainter& painter, std::size_t i, const QPoint& shift) const;

  std::vector<engine::TokenPiece> tokens_;
  std::vector<std::int64_t> starts_;
  std::vector<QRect> places_;  ///< before scrolling
  std::vector<int> document_;  ///< of each token
  std::vector<QString> texts_;
  std::int64_t scored_from_ = -1;
  QString placeholder_;
  int selected_ = -1;
};

}  // namespace ui
