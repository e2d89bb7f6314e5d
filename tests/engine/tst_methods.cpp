/// Every method's loss and one optimiser step against an independent PyTorch script (tests/golden/make_methods.py).

#include <QtTest>

#include <filesystem>

#include "engine/convert/transfer.h"
#include "engine/model/load.h"
#include "engine/model/safetensors.h"
#include "engine/recipe.h"
#include "engine/stage_step.h"
#include "engine/torch_api.h"
#include "engine/train/optimizer.h"
#include "engine/workspace.h"

namespace {

using namespace engine;
namespace fs = std::filesystem;
using Tensors = std::map<std::string, Tensor>;

const fs::path k_folder = fs::path(EQUIPOISE_SOURCE_DIR) / "tests/golden/methods";

struct Case {
  Recipe recipe;
  Tensors tensors;

  explicit Case(const std::string& name) {
    const fs::path file = k_folder / (name + ".safetensors");
    tensors = read_tensors(file);
    ParsedRecipe parsed = parse_recipe(SafetensorsFile(file).metadata().at("recipe"));
    if (!parsed.problems.empty()) throw std::runtime_error(parsed.problems[0].path + ": " + parsed.problems[0].message);
    recipe = parsed.recipe;
    recipe.model = (k_folder / "model").string();
    recipe.data.path = "none.txt";
  }
  Tensors with(const std::string& prefix) const {
    Tensors out;
    for (const auto& [name, t] : tensors)
      if (name.starts_with(prefix)) out[name.substr(prefix.size())] = t;
    return out;
  }
};

/// ‖found − expected‖ / ‖expected‖ behind one step. AdamW's first step is the rate times the gradient's sign, which
/// rounding decides where the gradient is as good as 0; there the elements do not count.
double distance(const Tensor& found, const Tensor& expected, const Tensor& gradient) {
  const Tensor certain = gradient.abs() >= 1e-5 * gradient.abs().max();
  const Tensor a = found.detach().to(torch::kFloat64), b = expected.to(torch::kFloat64);
  return ((a - b).masked_select(certain).norm() / b.norm().clamp_min(1e-12)).item<double>();
}

class Methods : public QObject {
  Q_OBJECT

  static void cases() {
    QTest::addColumn<QString>("name");
    std::vector<fs::path> files;
    for (const auto& f : fs::directory_iterator(k_folder))
      if (f.path().extension() == ".safetensors") files.push_back(f.path());
    std::sort(files.begin(), files.end());
    QVERIFY(files.size() >= 24);
    for (const auto& f : files) QTest::newRow(f.stem().c_str()) << QString::fromStdString(f.stem().string());
  }

 private Q_SLOTS:
  void loss_and_step_equal_pytorch_data() { cases(); }
  void loss_and_step_equal_pytorch() {
    QFETCH(QString, name);
    try {
      compare(Case(name.toStdString()));
    } catch (const std::exception& e) {
      QFAIL(e.what());
    }
  }

 private:
  static void compare(const Case& c) {
    for (const auto& problem : check(c.recipe)) QVERIFY2(problem.warning || problem.path.starts_with("evaluation"), problem.message.c_str());
    Workspace w = open_workspace(c.recipe);
    w.start_from(c.recipe, c.with("start."), "the golden file");
    const StageSpec& stage = c.recipe.stages.at(0);
    auto parameters = stage_parameters(w, stage);
    for (auto& [key, t] : parameters) t.set_requires_grad(true);
    AdamW optimizer(parameters, stage.weight_decay);
    MicroBatch batch;
    batch.ids = c.tensors.at("ids");
    batch.valid = c.tensors.at("valid");
    batch.predicting = at::constant_pad_nd(batch.valid.narrow(1, 1, batch.valid.size(1) - 1), {0, 1}).flatten().nonzero().flatten();
    optimizer.zero_grad();
    const MicroLoss loss = learn(w, c.recipe, stage, batch, 1.0);
    const double expected = c.tensors.at("loss").item<double>();
    QVERIFY2(std::abs(loss.total.item<double>() - expected) <= 1e-5 * std::abs(expected),
             qPrintable(QString("loss %1, expected %2").arg(loss.total.item<double>(), 0, 'g', 10).arg(expected, 0, 'g', 10)));
    const Tensors gradients = c.with("grad.");
    double grad_error = 0, grad_size = 0;
    for (const auto& [key, gradient] : gradients) {
      QVERIFY2(parameters.count(key) == 1, key.c_str());
      const Tensor& found = parameters.at(key).grad();
      QVERIFY2(found.defined(), key.c_str());
      grad_error += (found - gradient).square().sum().item<double>();
      grad_size += gradient.square().sum().item<double>();
    }
    QVERIFY2(std::sqrt(grad_error / grad_size) <= 1e-5, qPrintable(QString::number(std::sqrt(grad_error / grad_size))));
    optimizer.step(stage.learning_rate);
    const Tensors end = c.with("end.");
    QCOMPARE(parameters.size(), end.size());
    for (const auto& [key, value] : end) {
      const double off = distance(parameters.at(key), value, gradients.count(key) ? gradients.at(key) : torch::ones_like(value));
      QVERIFY2(off <= 1e-5, (key + " is off by " + std::to_string(off)).c_str());
    }
  }
};

}  // namespace

QTEST_APPLESS_MAIN(Methods)
#include "tst_methods.moc"
