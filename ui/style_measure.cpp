/// The measures of LOOK.md: a control is 28 pixels high, its radius 4, its lines 1.

#include <QAbstractItemView>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QStyleFactory>
#include <QStyleOption>
#include <cmath>

#include "ui/style.h"
#include "ui/style_roles.h"
#include "ui/theme.h"

namespace ui {

Style::Style() : QProxyStyle(QStyleFactory::create("Fusion")) {}

int Style::scaled(int px) const { return int(std::lround(px * zoom_)); }

int Style::pixelMetric(PixelMetric metric, const QStyleOption* option,
                       const QWidget* widget) const {
  switch (metric) {
    case PM_DefaultFrameWidth:
    case PM_SpinBoxFrameWidth:
    case PM_ComboBoxFrameWidth:
    case PM_MenuPanelWidth:
    case PM_DockWidgetSeparatorExtent:
      return 1;
    case PM_MenuBarPanelWidth:
    case PM_MenuBarItemSpacing:
    case PM_MenuBarVMargin:
    case PM_ButtonShiftHorizontal:
    case PM_ButtonShiftVertical:
    case PM_TabBarTabShiftHorizontal:
    case PM_TabBarTabShiftVertical:
    case PM_TabBarTabOverlap:
    case PM_TabBarBaseOverlap:
    case PM_MenuButtonIndicator:
    case PM_ScrollView_ScrollBarOverlap:
    case PM_ScrollView_ScrollBarSpacing:
      return 0;
    case PM_TabBarTabHSpace:
      return 28;
    case PM_TabBarTabVSpace:
      return 15;
    case PM_MenuBarHMargin:
    case PM_MenuHMargin:
    case PM_MenuVMargin:
      return 4;
    case PM_ScrollBarExtent:
      return 10;
    case PM_ScrollBarSliderMin:
      return 24;
    case PM_IndicatorWidth:
    case PM_IndicatorHeight:
      return 16;
    case PM_CheckBoxLabelSpacing:
      return 6;
    case PM_DockWidgetTitleMargin:
      return 6;
    case PM_DockWidgetTitleBarButtonMargin:
      return 1;
    case PM_ToolTipLabelFrameWidth:
      return 6;
    case PM_FocusFrameHMargin:
      // An item's text begins one pixel behind it.
      if (widget && widget->inherits("QTableView")) return 10;
      if (widget && widget->inherits("QComboBoxListView")) return 5;
      break;
    default:
      break;
  }
  return QProxyStyle::pixelMetric(metric, option, widget);
}

int Style::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                     QStyleHintReturn* data) const {
  switch (hint) {
    case SH_ComboBox_Popup:
    case SH_DialogButtonBox_ButtonsHaveIcons:
    case SH_EtchDisabledText:
    case SH_DitherDisabledText:
      return 0;
    case SH_ComboBox_PopupFrameStyle:
      return int(QFrame::StyledPanel) | int(QFrame::Plain);
    case SH_Table_GridLineColor:
      return int(shadesOf(widget).grid.rgba());
    default:
      return QProxyStyle::styleHint(hint, option, widget, data);
  }
}

namespace {

QSize plus(QSize contents, int width, int height) { return {contents.width() + width, height}; }

}  // namespace

QSize Style::sizeFromContents(ContentsType type, const QStyleOption* option, const QSize& contents,
                              const QWidget* widget) const {
  const int control = scaled(26) + 2;
  const int quiet = scaled(20);
  switch (type) {
    case CT_PushButton:
      switch (roleOf(widget)) {
        case Role::link:
        case Role::warning:
          return plus(contents, 2, std::max(contents.height(), quiet));
        case Role::quiet:
          return plus(contents, 16, quiet);
        case Role::segment:
          return plus(contents, 20, control);
        case Role::primary:
          return plus(contents, 42, control);
        case Role::menu:
          return plus(contents, 40, control);
        default:
          return plus(contents, 26, std::max(contents.height() + 2, control));
      }
    case CT_ToolButton:
      if (roleOf(widget) == Role::flat)
        return plus(contents, 6, std::max(contents.height(), quiet) + 2);
      return plus({std::max(contents.width(), scaled(16)), 0}, 12, control);
    case CT_LineEdit:
      if (widget && qobject_cast<const QComboBox*>(widget->parentWidget())) return contents;
      return plus(contents, 4, control);
    case CT_ComboBox:
      return plus(contents, 32, control);
    case CT_SpinBox:
      return plus(contents, 28, control);
    case CT_CheckBox:
    case CT_RadioButton:
      return plus(contents, 16 + 8, std::max(contents.height(), scaled(26)));
    case CT_TabBarTab:
      return contents;
    case CT_HeaderSection: {
      QSize size = QProxyStyle::sizeFromContents(type, option, contents, widget);
      const auto* header = qstyleoption_cast<const QStyleOptionHeader*>(option);
      if (!header) return size;
      const QSize text = header->fontMetrics.size(0, header->text);
      return {text.width() + 22 + (header->sortIndicator == QStyleOptionHeader::None ? 0 : 14),
              text.height() + 13};
    }
    case CT_ItemViewItem: {
      QSize size = QProxyStyle::sizeFromContents(type, option, contents, widget);
      if (widget && widget->inherits("QComboBoxListView"))
        size.setHeight(std::max(size.height(), scaled(24)));
      return size;
    }
    case CT_MenuBarItem:
      return plus(contents, 18, contents.height() + 9);
    case CT_MenuItem: {
      QSize size = QProxyStyle::sizeFromContents(type, option, contents, widget);
      const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option);
      if (item && item->menuItemType == QStyleOptionMenuItem::Separator) return {size.width(), 9};
      return {size.width() + 12, std::max(size.height(), option->fontMetrics.height() + 10)};
    }
    default:
      return QProxyStyle::sizeFromContents(type, option, contents, widget);
  }
}

QRect Style::subElementRect(SubElement element, const QStyleOption* option,
                            const QWidget* widget) const {
  switch (element) {
    case SE_LineEditContents:
      if (const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
          frame && frame->lineWidth > 0)
        return option->rect.adjusted(4, 1, -4, -1);
      return option->rect;
    case SE_TabWidgetTabBar:
      return QProxyStyle::subElementRect(element, option, widget).translated(12, 0);
    case SE_HeaderLabel: {
      const auto* header = qstyleoption_cast<const QStyleOptionHeader*>(option);
      const bool sorted = header && header->sortIndicator != QStyleOptionHeader::None;
      return option->rect.adjusted(11, 0, sorted ? -18 : -11, 0);
    }
    case SE_HeaderArrow:
      return QRect(option->rect.right() - 16, option->rect.y(), 12, option->rect.height());
    case SE_PushButtonContents:
      return option->rect;
    case SE_DockWidgetTitleBarText:
      return QProxyStyle::subElementRect(element, option, widget).adjusted(6, 0, 0, 0);
    default:
      return QProxyStyle::subElementRect(element, option, widget);
  }
}

QRect Style::subControlRect(ComplexControl control, const QStyleOptionComplex* option,
                            SubControl part, const QWidget* widget) const {
  const QRect r = option->rect;
  if (control == CC_ComboBox) {
    const auto* combo = qstyleoption_cast<const QStyleOptionComboBox*>(option);
    QRect out = r;
    if (part == SC_ComboBoxEditField)
      out = r.adjusted(combo && combo->editable ? 3 : 6, 1, -21, -1);
    else if (part == SC_ComboBoxArrow)
      out.setLeft(r.right() - 20);
    return visualRect(option->direction, r, out);
  }
  if (control == CC_SpinBox) {
    QRect out = r;
    const QRect buttons(r.right() - 17, r.top() + 1, 17, r.height() - 2);
    if (part == SC_SpinBoxEditField)
      out = r.adjusted(4, 1, -18, -1);
    else if (part == SC_SpinBoxUp)
      out = buttons.adjusted(0, 0, 0, -buttons.height() / 2);
    else if (part == SC_SpinBoxDown)
      out = buttons.adjusted(0, buttons.height() / 2, 0, 0);
    return visualRect(option->direction, r, out);
  }
  if (control == CC_ScrollBar) {
    const auto* bar = qstyleoption_cast<const QStyleOptionSlider*>(option);
    if (!bar) return r;
    const bool level = bar->orientation == Qt::Horizontal;
    const int length = level ? r.width() : r.height();
    const qint64 range = qint64(bar->maximum) - bar->minimum;
    const qint64 whole = range + bar->pageStep;
    const int handle =
        range > 0 ? std::clamp(int(qint64(length) * bar->pageStep / std::max<qint64>(1, whole)),
                               std::min(length, 24), length)
                  : length;
    const int at = sliderPositionFromValue(bar->minimum, bar->maximum, bar->sliderPosition,
                                           length - handle, bar->upsideDown);
    auto span = [&](int from, int size) {
      return level ? QRect(r.x() + from, r.y(), size, r.height())
                   : QRect(r.x(), r.y() + from, r.width(), size);
    };
    switch (part) {
      case SC_ScrollBarSlider:
        return span(at, handle);
      case SC_ScrollBarGroove:
        return r;
      case SC_ScrollBarSubPage:
        return span(0, at);
      case SC_ScrollBarAddPage:
        return span(at + handle, length - at - handle);
      default:
        return {};
    }
  }
  return QProxyStyle::subControlRect(control, option, part, widget);
}

QIcon Style::standardIcon(StandardPixmap which, const QStyleOption* option,
                          const QWidget* widget) const {
  if (which == SP_TitleBarCloseButton || which == SP_DockWidgetCloseButton ||
      which == SP_LineEditClearButton)
    return lineIcon("close", QColor(0x80, 0x80, 0x80));
  return QProxyStyle::standardIcon(which, option, widget);
}

}  // namespace ui
