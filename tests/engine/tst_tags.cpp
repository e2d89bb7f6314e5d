#include <QTest>

#include "engine/tags.h"

class TestTags : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void a_tag_is_put_on_and_off_and_leaves_the_others() {
    QCOMPARE(engine::with_tag("", "star", true), std::string("star"));
    QCOMPARE(engine::with_tag("narrow , far", "star", true), std::string("narrow, far, star"));
    QCOMPARE(engine::with_tag("narrow,star,far", "star", false), std::string("narrow, far"));
    QCOMPARE(engine::with_tag("star", "star", false), std::string());
    QCOMPARE(engine::with_tag("a ,b", "star", false), std::string("a ,b"));  // nothing to change
    QCOMPARE(engine::with_tag("a ,star", "star", true), std::string("a ,star"));
  }

  void only_whole_tags_count() {
    QVERIFY(engine::has_tag("a,  star ", "star"));
    QVERIFY(!engine::has_tag("started, starry, no star", "star"));
    QVERIFY(engine::tag_list(" , ,").empty());
  }

  void a_sweep_gets_a_name_that_no_other_has() {
    engine::RunInfo one, two;
    one.tags = "narrow, sweep:ssd";
    two.tags = "sweep:ssd#2, star";
    QCOMPARE(engine::sweep_of(two.tags), std::string("ssd#2"));
    QCOMPARE(engine::sweep_of("sweep ssd"), std::string());
    QCOMPARE(engine::new_sweep_tag("ssd", {}), std::string("sweep:ssd"));
    QCOMPARE(engine::new_sweep_tag("ssd", {one}), std::string("sweep:ssd#2"));
    QCOMPARE(engine::new_sweep_tag("ssd", {one, two}), std::string("sweep:ssd#3"));
    QCOMPARE(engine::sweep_of(engine::new_sweep_tag("a,b", {})), std::string("a-b"));
  }
};

QTEST_APPLESS_MAIN(TestTags)
#include "tst_tags.moc"
