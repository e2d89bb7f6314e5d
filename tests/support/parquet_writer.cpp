#include "tests/support/parquet_writer.h"

#include <map>
#include <memory>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/json/from_string.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>

namespace {

void must(const arrow::Status& status) {
  if (!status.ok()) status.Abort();
}

std::shared_ptr<arrow::DataType> type_of(const std::string& name) {
  using namespace arrow;
  const std::map<std::string, std::shared_ptr<DataType>> types = {
      {"null", null()},
      {"bool", boolean()},
      {"int8", int8()},
      {"int64", int64()},
      {"uint64", uint64()},
      {"float", float32()},
      {"double", float64()},
      {"string", utf8()},
      {"large_string", large_utf8()},
      {"binary", binary()},
      {"words", dictionary(int32(), utf8())},
      {"date", date32()},
      {"timestamp", timestamp(TimeUnit::MILLI)},
      {"decimal", decimal128(9, 2)},
      {"strings", list(utf8())},
      {"large_strings", large_list(utf8())},
      {"numbers", list(int64())},
      {"choices", struct_({field("text", list(utf8())), field("label", list(utf8()))})},
      {"turns", list(struct_({field("role", utf8()), field("text", utf8())}))},
      {"map", map(utf8(), int64())}};
  return types.at(name);
}

std::shared_ptr<arrow::Array> array_of(const ParquetColumn& column) {
  const auto type = type_of(column.type);
  if (type->id() != arrow::Type::DICTIONARY) return arrow::json::ArrayFromJSONString(type, column.json).ValueOrDie();
  const auto& words = static_cast<const arrow::DictionaryType&>(*type);
  const auto plain = arrow::json::ArrayFromJSONString(words.value_type(), column.json).ValueOrDie();
  arrow::StringDictionary32Builder builder;
  must(builder.AppendArray(*plain));
  return builder.Finish().ValueOrDie();
}

}  // namespace

void write_parquet(const std::filesystem::path& path, const std::vector<ParquetColumn>& columns,
                   const std::string& codec, std::int64_t rows_a_group) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& column : columns) {
    arrays.push_back(array_of(column));
    fields.push_back(arrow::field(column.name, arrays.back()->type()));
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  const auto compression =
      codec == "none" ? arrow::Compression::UNCOMPRESSED : arrow::util::Codec::GetCompressionType(codec).ValueOrDie();
  const auto properties = parquet::WriterProperties::Builder().compression(compression)->build();
  const auto schema_too = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  const auto sink = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  must(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, rows_a_group, properties, schema_too));
  must(sink->Close());
}
