#pragma once
/// How strongly curves are smoothed: one value a kind of curve, for every page, kept in the settings.

#include <QObject>
#include <QVariantList>
#include <array>

namespace ui {

class Smoothing : public QObject {
  Q_OBJECT

 public:
  /// Accuracy of components; what is logged at every step; what else is measured at evaluations, and formulas.
  enum Kind { Accuracy, Training, Measured };
  static constexpr double k_most = 0.99;

  using QObject::QObject;
  double of(Kind kind) const { return weights_[kind]; }  ///< CurveSpec::smoothing
  void set(Kind kind, double weight);
  QVariantList toSettings() const;
  void restore(const QVariantList& weights);  ///< what is no weight is passed over

 Q_SIGNALS:
  void changed();

 private:
  std::array<double, 3> weights_{0, 0.85, 0};
};

}  // namespace ui
