#include "ui/style.h"

#include <QApplication>
#include <QPainter>
#include <QPainterPath>
#include <QStyleOption>
#include <cmath>

#include "ui/style_roles.h"
#include "ui/theme.h"

namespace ui {

namespace {

bool has(const QStyleOption* option, QStyle::StateFlag flag) { return option->state & flag; }

bool onCard(const QWidget* widget) {
  for (const QWidget* w = widget; w; w = w->parentWidget())
    if (roleOf(w) == Role::card) return true;
  return false;
}

void panel(QPainter* painter, const QRect& rect, const QColor& fill, const QColor& line,
           double radius = 4) {
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  painter->setPen(line.isValid() ? QPen(line, 1) : QPen(Qt::NoPen));
  painter->setBrush(fill.isValid() ? QBrush(fill) : QBrush(Qt::NoBrush));
  painter->drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius);
  painter->restore();
}

void underlined(QPainter* painter, const QRect& rect, const QColor& fill, const QColor& line) {
  painter->fillRect(rect, fill);
  painter->fillRect(rect.x(), rect.bottom(), rect.width(), 1, line);
}

/// A stroke through points of a 16-unit square, drawn `size` pixels wide in the middle of `rect`.
void stroke(QPainter* painter, const QRect& rect, double size, const QColor& color,
            const QPolygonF& points) {
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  painter->translate(QRectF(rect).center());
  painter->scale(size / 16, size / 16);
  painter->translate(-8, -8);
  painter->setPen(QPen(color, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter->setBrush(Qt::NoBrush);
  painter->drawPolyline(points);
  painter->restore();
}

const QPolygonF k_down{{4, 6}, {8, 10}, {12, 6}};
const QPolygonF k_up{{4, 10}, {8, 6}, {12, 10}};
const QPolygonF k_left{{10, 4}, {6, 8}, {10, 12}};
const QPolygonF k_right{{6, 4}, {10, 8}, {6, 12}};
const QPolygonF k_check{{3.5, 8.5}, {6.5, 11.5}, {12.5, 4.5}};

/// Line edits, combo boxes, spin boxes.
void field(const QStyleOption* option, QPainter* painter, const QWidget* widget) {
  const Colors& c = colorsOf(widget);
  QColor line = c.line;
  if (has(option, QStyle::State_MouseOver) && has(option, QStyle::State_Enabled))
    line = c.secondary;
  if (has(option, QStyle::State_HasFocus)) line = c.accent;
  if (widget && widget->property("problem").toBool()) line = c.error;
  panel(painter, option->rect, onCard(widget) ? shadesOf(widget).field : c.panel, line);
}

struct ButtonLook {
  QColor fill, line, text;
  bool underline = false;
};

ButtonLook buttonLook(const QStyleOption* option, const QWidget* widget) {
  const Colors& c = colorsOf(widget);
  const Shades& s = shadesOf(widget);
  const bool enabled = has(option, QStyle::State_Enabled);
  const bool over = enabled && has(option, QStyle::State_MouseOver);
  const bool focus = has(option, QStyle::State_HasFocus);
  const bool down = has(option, QStyle::State_Sunken) || has(option, QStyle::State_On);
  switch (roleOf(widget)) {
    case Role::primary:
      if (!enabled) return {c.line, c.line, c.secondary};
      return {over ? s.accent_hover : c.accent, focus ? c.text : c.accent, c.on_accent};
    case Role::link:
      return {{}, {}, enabled ? c.accent : s.disabled, over || focus};
    case Role::warning:
      return {{}, {}, levelColor(widget, c.warning), over || focus};
    case Role::segment:
    case Role::quiet:
      return {{}, {}, over || focus ? c.accent : down ? c.text : c.secondary};
    case Role::flat:
      return {over || down ? s.pressed : QColor(), focus ? c.accent : QColor(),
              enabled ? c.text : s.disabled};
    default:
      if (has(option, QStyle::State_AutoRaise) && !over && !down) return {{}, {}, c.text};
      if (!enabled) return {c.window, c.line, s.disabled};
      return {down ? s.pressed : c.panel, focus ? c.accent : over ? c.secondary : c.line, c.text};
  }
}

void drawButtonLabel(const QStyleOptionButton& option, QPainter* painter, const QWidget* widget) {
  const ButtonLook look = buttonLook(&option, widget);
  const Role role = roleOf(widget);
  QRect rect = option.rect;
  int flags = Qt::AlignVCenter | Qt::TextShowMnemonic;
  if (!QApplication::style()->styleHint(QStyle::SH_UnderlineShortcut, &option, widget))
    flags = Qt::AlignVCenter | Qt::TextHideMnemonic;
  const bool left = role == Role::link || role == Role::warning;
  if (role == Role::segment) rect.adjust(4, 0, -16, -2);
  if (role == Role::menu) {
    rect.adjust(13, 0, -27, 0);
    stroke(painter, QRect(option.rect.right() - 20, rect.y(), 12, rect.height()), 12,
           colorsOf(widget).secondary, k_down);
  }
  const int gap = option.icon.isNull() || option.text.isEmpty() ? 0 : 4;
  const int icon = option.icon.isNull() ? 0 : option.iconSize.width();
  const int text = option.fontMetrics.size(Qt::TextShowMnemonic, option.text).width();
  const bool behind = option.direction == Qt::RightToLeft;
  int x =
      left || role == Role::segment ? rect.x() : rect.x() + (rect.width() - icon - gap - text) / 2;
  x = std::max(x, rect.x());
  const int icon_x = behind ? x + text + gap : x;
  const int text_x = behind ? x : x + icon + gap;
  if (icon) {
    const auto mode = has(&option, QStyle::State_Enabled) ? QIcon::Normal : QIcon::Disabled;
    option.icon.paint(painter,
                      QRect(icon_x, rect.center().y() - option.iconSize.height() / 2 + 1, icon,
                            option.iconSize.height()),
                      Qt::AlignCenter, mode,
                      has(&option, QStyle::State_On) ? QIcon::On : QIcon::Off);
  }
  painter->save();
  QFont font = painter->font();
  if (role == Role::primary) font.setWeight(QFont::DemiBold);
  font.setUnderline(look.underline);
  painter->setFont(font);
  painter->setPen(look.text);
  // A semi-bold label is wider than the metrics of the option; it stays centred.
  if (role == Role::primary && !icon)
    painter->drawText(rect, flags | Qt::AlignHCenter, option.text);
  else
    painter->drawText(rect.adjusted(text_x - rect.x(), 0, 8, 0), flags | Qt::AlignLeft,
                      option.text);
  painter->restore();
}

void drawTabLabel(const QStyleOptionTab& tab, QPainter* painter, const QWidget* widget) {
  const Colors& c = colorsOf(widget);
  const bool plain = has(&tab, QStyle::State_Selected) || has(&tab, QStyle::State_MouseOver);
  painter->setPen(has(&tab, QStyle::State_HasFocus) ? c.accent : plain ? c.text : c.secondary);
  painter->drawText(tab.rect.adjusted(0, 0, 0, -2), Qt::AlignCenter | Qt::TextShowMnemonic,
                    tab.text);
}

void drawHeaderLabel(const QStyleOptionHeader& header, QPainter* painter, const QWidget* widget) {
  painter->setPen(colorsOf(widget).secondary);
  const QString text =
      header.fontMetrics.elidedText(header.text, Qt::ElideRight, header.rect.width());
  painter->drawText(header.rect, int(header.textAlignment), text);
}

/// A progress bar is six pixels high, in the middle of what its layout gives it.
QRect barOf(const QRect& rect) { return {rect.x(), rect.center().y() - 2, rect.width(), 6}; }

void drawScrollBar(const QStyleOptionSlider& bar, QPainter* painter, const QStyle* style,
                   const QWidget* widget) {
  if (bar.maximum <= bar.minimum) return;
  QRect handle =
      style->subControlRect(QStyle::CC_ScrollBar, &bar, QStyle::SC_ScrollBarSlider, widget);
  const bool over =
      has(&bar, QStyle::State_MouseOver) && (bar.activeSubControls & QStyle::SC_ScrollBarSlider);
  panel(painter, handle.adjusted(2, 2, -2, -2),
        over ? colorsOf(widget).secondary : shadesOf(widget).scroll, {}, 3);
}

}  // namespace

void Style::drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                          const QWidget* widget) const {
  const Colors& c = colorsOf(widget);
  switch (element) {
    case PE_PanelButtonCommand:
    case PE_PanelButtonTool: {
      const ButtonLook look = buttonLook(option, widget);
      if (look.fill.isValid() || look.line.isValid())
        panel(painter, option->rect, look.fill, look.line);
      if (roleOf(widget) == Role::segment && has(option, State_On))
        painter->fillRect(option->rect.x(), option->rect.bottom() - 1, option->rect.width() - 12, 2,
                          c.accent);
      return;
    }
    case PE_PanelLineEdit:
      if (const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
          frame && frame->lineWidth > 0)
        field(option, painter, widget);
      return;
    case PE_Frame:
      panel(painter, option->rect, {}, has(option, State_HasFocus) ? c.accent : c.line);
      return;
    case PE_FrameTabWidget:
      painter->fillRect(option->rect.x(), option->rect.y(), option->rect.width(), 1, c.line);
      return;
    case PE_PanelStatusBar:
      painter->fillRect(option->rect, c.window);
      painter->fillRect(option->rect.x(), option->rect.y(), option->rect.width(), 1, c.line);
      return;
    case PE_IndicatorDockWidgetResizeHandle:
      painter->fillRect(option->rect, has(option, State_MouseOver) ? c.accent : c.line);
      return;
    case PE_PanelMenu:
      painter->fillRect(option->rect, c.panel);
      return;
    case PE_FrameMenu:
      panel(painter, option->rect, {}, c.line, 0);
      return;
    case PE_PanelTipLabel:
      panel(painter, option->rect, c.panel, c.line, 0);
      return;
    case PE_IndicatorCheckBox: {
      const bool on = has(option, State_On);
      const bool partly = has(option, State_NoChange);
      const bool enabled = has(option, State_Enabled);
      const QColor mark = enabled ? c.accent : shadesOf(widget).disabled;
      panel(painter, option->rect, on || partly ? mark : shadesOf(widget).field,
            on || partly || has(option, State_HasFocus) ? mark
            : enabled                                   ? c.secondary
                                                        : c.line,
            3);
      if (on) stroke(painter, option->rect, 14, c.on_accent, k_check);
      if (partly) stroke(painter, option->rect, 14, c.on_accent, {{4, 8}, {12, 8}});
      return;
    }
    case PE_IndicatorArrowDown:
    case PE_IndicatorSpinDown:
      return stroke(painter, option->rect, 12, c.secondary, k_down);
    case PE_IndicatorArrowUp:
    case PE_IndicatorSpinUp:
      return stroke(painter, option->rect, 12, c.secondary, k_up);
    case PE_IndicatorArrowLeft:
      return stroke(painter, option->rect, 12, c.secondary, k_left);
    case PE_IndicatorArrowRight:
      return stroke(painter, option->rect, 12, c.secondary, k_right);
    case PE_IndicatorHeaderArrow:
      if (const auto* header = qstyleoption_cast<const QStyleOptionHeader*>(option))
        stroke(painter, option->rect, 10, c.secondary,
               header->sortIndicator == QStyleOptionHeader::SortUp ? k_down : k_up);
      return;
    case PE_FrameFocusRect:
    case PE_FrameStatusBarItem:
    case PE_FrameTabBarBase:
    case PE_FrameDockWidget:
    case PE_FrameButtonTool:
    case PE_PanelScrollAreaCorner:
    case PE_PanelMenuBar:
      return;
    default:
      QProxyStyle::drawPrimitive(element, option, painter, widget);
  }
}

void Style::drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                        const QWidget* widget) const {
  const Colors& c = colorsOf(widget);
  switch (element) {
    case CE_ShapedFrame:
      // The frame goes round the margins that its text keeps from it.
      switch (roleOf(widget)) {
        case Role::card:
          return panel(painter, widget->rect(), c.panel, c.line);
        case Role::banner: {
          const bool busy = widget->property("level").toString() == u"busy";
          return panel(painter, widget->rect(), c.panel,
                       busy ? c.line : levelColor(widget, c.warning));
        }
        case Role::chip:
          return panel(painter, widget->rect(), {},
                       widget->property("level").toString() == u"error" ? c.error : c.line);
        case Role::mark:
          return panel(painter, option->rect, c.accent, {}, 3);
        default:
          break;
      }
      break;
    case CE_PushButtonBevel:
      return proxy()->drawPrimitive(PE_PanelButtonCommand, option, painter, widget);
    case CE_PushButtonLabel:
      if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option))
        return drawButtonLabel(*button, painter, widget);
      break;
    case CE_TabBarTabShape:
      if (has(option, State_Selected))
        painter->fillRect(option->rect.x() + 8, option->rect.bottom() - 1,
                          option->rect.width() - 16, 2, c.accent);
      return;
    case CE_TabBarTabLabel:
      if (const auto* tab = qstyleoption_cast<const QStyleOptionTab*>(option))
        return drawTabLabel(*tab, painter, widget);
      break;
    case CE_Header:
      // QCommonStyle would ask itself, not its proxy, where the label stands.
      if (const auto* header = qstyleoption_cast<const QStyleOptionHeader*>(option)) {
        proxy()->drawControl(CE_HeaderSection, option, painter, widget);
        QStyleOptionHeader part = *header;
        part.rect = subElementRect(SE_HeaderLabel, header, widget);
        proxy()->drawControl(CE_HeaderLabel, &part, painter, widget);
        if (header->sortIndicator == QStyleOptionHeader::None) return;
        part.rect = subElementRect(SE_HeaderArrow, header, widget);
        return proxy()->drawPrimitive(PE_IndicatorHeaderArrow, &part, painter, widget);
      }
      break;
    case CE_HeaderEmptyArea:
    case CE_HeaderSection:
      return underlined(painter, option->rect, c.panel, c.line);
    case CE_HeaderLabel:
      if (const auto* header = qstyleoption_cast<const QStyleOptionHeader*>(option))
        return drawHeaderLabel(*header, painter, widget);
      break;
    case CE_MenuBarEmptyArea:
      return underlined(painter, option->rect, c.window, c.line);
    case CE_MenuBarItem: {
      const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option);
      if (!item) break;
      painter->fillRect(item->rect,
                        has(item, State_Selected) ? shadesOf(widget).pressed : c.window);
      if (widget && item->rect.bottom() >= widget->height() - 1)
        painter->fillRect(item->rect.x(), item->rect.bottom(), item->rect.width(), 1, c.line);
      painter->setPen(has(item, State_Enabled) ? c.text : shadesOf(widget).disabled);
      painter->drawText(item->rect, Qt::AlignCenter | Qt::TextShowMnemonic, item->text);
      return;
    }
    case CE_DockWidgetTitle: {
      const auto* dock = qstyleoption_cast<const QStyleOptionDockWidget*>(option);
      if (!dock) break;
      painter->fillRect(dock->rect, c.window);
      painter->setPen(c.secondary);
      painter->drawText(dock->rect.adjusted(12, 0, -30, 0), Qt::AlignVCenter | Qt::AlignLeft,
                        dock->title);
      return;
    }
    case CE_Splitter:
      if (has(option, State_MouseOver)) painter->fillRect(option->rect, c.line);
      return;
    case CE_ProgressBarGroove:
      return panel(painter, barOf(option->rect), c.line, {}, 3);
    case CE_ProgressBarContents:
      if (const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option)) {
        const double range = std::max(1.0, double(bar->maximum) - bar->minimum);
        const double share = std::clamp((double(bar->progress) - bar->minimum) / range, 0.0, 1.0);
        QRect done = barOf(bar->rect);
        done.setWidth(int(std::lround(done.width() * share)));
        if (done.width() > 0) panel(painter, done, c.accent, {}, 3);
        return;
      }
      break;
    case CE_ProgressBarLabel:
      return;
    default:
      break;
  }
  QProxyStyle::drawControl(element, option, painter, widget);
}

void Style::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                               QPainter* painter, const QWidget* widget) const {
  const Colors& c = colorsOf(widget);
  auto part = [&](SubControl which) {
    return proxy()->subControlRect(control, option, which, widget);
  };
  switch (control) {
    case CC_ComboBox:
      field(option, painter, widget);
      stroke(painter, part(SC_ComboBoxArrow), 12, c.secondary, k_down);
      return;
    case CC_SpinBox:
      field(option, painter, widget);
      stroke(painter, part(SC_SpinBoxUp), 10, c.secondary, k_up);
      stroke(painter, part(SC_SpinBoxDown), 10, c.secondary, k_down);
      return;
    case CC_ScrollBar:
      if (const auto* bar = qstyleoption_cast<const QStyleOptionSlider*>(option))
        drawScrollBar(*bar, painter, proxy(), widget);
      return;
    case CC_ToolButton:
      if (const auto* button = qstyleoption_cast<const QStyleOptionToolButton*>(option)) {
        QStyleOptionToolButton without = *button;
        without.features &= ~QStyleOptionToolButton::HasMenu;
        return QProxyStyle::drawComplexControl(control, &without, painter, widget);
      }
      break;
    default:
      break;
  }
  QProxyStyle::drawComplexControl(control, option, painter, widget);
}

}  // namespace ui
