/// What the program says it uses, against what this test uses, and a management library of this test's own.

#include <QElapsedTimer>
#include <QTest>
#include <vector>

#include "engine/resources.h"

class TestResources : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void work_and_memory_of_this_program_are_seen() {
    engine::ResourceMeter meter("no such library");
    const auto before = meter.read();
    QVERIFY(before.cores_there >= 1 && before.memory_bytes > 0 && before.gpus.empty());
    QVERIFY(before.total_bytes > before.free_bytes && before.free_bytes > 0);
    std::vector<char> used(64 << 20, 1);
    QElapsedTimer clock;
    clock.start();
    volatile double sum = 0;
    while (clock.elapsed() < 100) sum = sum + 1;
    const auto after = meter.read();
    QVERIFY(after.cores > 0.02);
    QVERIFY(after.memory_bytes + (1 << 20) >= before.memory_bytes + std::int64_t(used.size()));
    QVERIFY(after.peak_bytes >= after.memory_bytes);
  }

  void gpus_are_read_from_the_management_library() {
    const auto use = engine::ResourceMeter(FAKE_NVML).read();
    QCOMPARE(use.gpus.size(), 2u);
    QCOMPARE(use.gpus[0].name, std::string("NVIDIA T"));
    QCOMPARE(use.gpus[0].used_bytes, std::int64_t{12} << 30);
    QCOMPARE(use.gpus[0].total_bytes, std::int64_t{80} << 30);
    QCOMPARE(use.gpus[0].busy_percent, 43);
    QCOMPARE(use.gpus[0].celsius.value_or(0), 61);
    QVERIFY(!use.gpus[1].celsius && use.gpus[1].busy_percent == 0);
  }
};

QTEST_APPLESS_MAIN(TestResources)
#include "tst_resources.moc"
