#include "ui/style_roles.h"

#include <QFrame>
#include <QHash>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QVariant>

#include "ui/style.h"
#include "ui/theme.h"

namespace ui {

Role roleOf(const QWidget* widget) {
  static const QHash<QString, Role> names{
      {"primary", Role::primary}, {"link", Role::link},           {"segment", Role::segment},
      {"quiet", Role::quiet},     {"warning", Role::warning},     {"menu", Role::menu},
      {"flat", Role::flat},       {"card", Role::card},           {"banner", Role::banner},
      {"chip", Role::chip},       {"secondary", Role::secondary}, {"problem", Role::problem},
      {"good", Role::good},       {"page", Role::page},           {"canvas", Role::canvas},
      {"inset", Role::inset},     {"plain", Role::plain},         {"mark", Role::mark}};
  return widget ? names.value(widget->property("role").toString(), Role::normal) : Role::normal;
}

const Shades& shadesFor(Scheme scheme) {
  auto shades = [](Scheme of) {
    const Colors& c = colorsFor(of);
    return Shades{mix(c.window, c.line, 0.6),
                  mix(c.secondary, c.window, 0.35),
                  mix(c.panel, c.accent, of == Scheme::dark ? 0.28 : 0.16),
                  mix(c.panel, c.window, 0.5),
                  mix(c.line, c.secondary, 0.2),
                  mix(c.panel, c.line, 0.6),
                  mix(c.accent, c.text, 0.15)};
  };
  static const Shades light = shades(Scheme::light);
  static const Shades dark = shades(Scheme::dark);
  return scheme == Scheme::dark ? dark : light;
}

const Shades& shadesOf(const QWidget* widget) { return shadesFor(schemeOf(widget)); }

QColor levelColor(const QWidget* widget, const QColor& otherwise) {
  const QString level = widget->property("level").toString();
  const Colors& c = colorsOf(widget);
  if (level == u"error") return c.error;
  if (level == u"good") return c.good;
  return otherwise;
}

void dressForRole(QWidget* widget) {
  const Colors& c = colorsOf(widget);
  auto text = [&](const QColor& color) {
    QPalette palette;
    for (auto group : {QPalette::Active, QPalette::Inactive})
      for (auto role : {QPalette::WindowText, QPalette::Text})  // Text where the ground is Base
        palette.setColor(group, role, color);
    widget->setPalette(palette);
  };
  auto* frame = qobject_cast<QFrame*>(widget);
  const bool label = qobject_cast<QLabel*>(widget);
  switch (roleOf(widget)) {
    case Role::page:
    case Role::canvas:
      widget->setAutoFillBackground(true);
      widget->setBackgroundRole(QPalette::Window);
      break;
    case Role::inset:
      widget->setAutoFillBackground(true);
      widget->setBackgroundRole(QPalette::Base);
      break;
    case Role::card:
    case Role::banner:
      if (frame) frame->setFrameShape(QFrame::StyledPanel);
      break;
    case Role::plain:
      if (frame) frame->setFrameShape(QFrame::NoFrame);
      if (auto* list = qobject_cast<QListView*>(widget))
        list->viewport()->setAutoFillBackground(false);
      break;
    case Role::chip:
      if (frame) frame->setFrameShape(QFrame::StyledPanel);
      widget->setContentsMargins(6, 1, 6, 1);
      text(levelColor(widget, c.secondary));
      break;
    case Role::secondary:
      if (label) text(c.secondary);
      break;
    case Role::problem:
      if (label) text(c.error);
      break;
    case Role::warning:
      if (label) text(c.warning);
      break;
    case Role::good:
      if (label) text(c.good);
      break;
    default:
      if (label && widget->testAttribute(Qt::WA_SetPalette)) widget->setPalette(QPalette());
      break;
  }
}

void Style::polish(QWidget* widget) {
  QProxyStyle::polish(widget);
  dressForRole(widget);
  if (qobject_cast<QLineEdit*>(widget)) widget->setAttribute(Qt::WA_Hover);
}

}  // namespace ui
