#include "engine/data/parquet_file.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/util/float16.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t k_batch_bytes = std::int64_t{16} << 20;
constexpr std::int64_t k_max_batch_rows = 1024;
constexpr std::int64_t k_stream_bytes = std::int64_t{1} << 18;
// Lengths in a file are claims: what they may allocate grows with the bytes that are there.
constexpr std::int64_t k_free_bytes = std::int64_t{256} << 20, k_bytes_per_file_byte = 64;
constexpr std::int32_t k_max_metadata_string = 64 << 20, k_max_metadata_list = 200'000, k_max_depth = 64;

[[noreturn]] void fail(const fs::path& path, std::string why) {
  constexpr std::size_t k_longest = 300;
  why = utf8_lossy(why.substr(0, why.find('\n')).substr(0, k_longest));
  throw InputError(path.string() + ": cannot be read as Parquet: " + why);
}

bool is_text(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
      return true;
    case arrow::Type::DICTIONARY:
      return is_text(*static_cast<const arrow::DictionaryType&>(type).value_type());
    default:
      return false;
  }
}

/// Of an array for which is_text() holds; the value must not be null.
std::string_view text_at(const arrow::Array& array, std::int64_t i) {
  switch (array.type_id()) {
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return static_cast<const arrow::LargeBinaryArray&>(array).GetView(i);
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return static_cast<const arrow::BinaryViewArray&>(array).GetView(i);
    case arrow::Type::DICTIONARY: {
      const auto& words = static_cast<const arrow::DictionaryArray&>(array);
      return text_at(*words.dictionary(), words.GetValueIndex(i));
    }
    default:
      return static_cast<const arrow::BinaryArray&>(array).GetView(i);
  }
}

Json to_json(const arrow::Array& array, std::int64_t i);

Json items(const arrow::Array& values, std::int64_t begin, std::int64_t length) {
  Json out = Json::array();
  for (std::int64_t i = begin; i < begin + length; ++i) out.push_back(to_json(values, i));
  return out;
}

template <class List>
Json list(const arrow::Array& array, std::int64_t i) {
  const auto& lists = static_cast<const List&>(array);
  return items(*lists.values(), lists.value_offset(i), lists.value_length(i));
}

Json map_items(const arrow::MapArray& map, std::int64_t i) {
  Json out = Json::array();
  for (std::int64_t at = map.value_offset(i); at < map.value_offset(i) + map.value_length(i); ++at)
    out.push_back(Json::array({to_json(*map.keys(), at), to_json(*map.items(), at)}));
  return out;
}

Json fields(const arrow::StructArray& array, std::int64_t i) {
  Json out = Json::object();
  for (int f = 0; f < array.num_fields(); ++f) out[array.struct_type()->field(f)->name()] = to_json(*array.field(f), i);
  return out;
}

template <class Numbers>
Json number(const arrow::Array& array, std::int64_t i) {
  return static_cast<const Numbers&>(array).Value(i);
}

Json to_json(const arrow::Array& array, std::int64_t i) {
  if (array.IsNull(i)) return nullptr;
  if (array.type_id() != arrow::Type::DICTIONARY && is_text(*array.type())) return utf8_lossy(text_at(array, i));
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return number<arrow::BooleanArray>(array, i);
    case arrow::Type::INT8:
      return number<arrow::Int8Array>(array, i);
    case arrow::Type::INT16:
      return number<arrow::Int16Array>(array, i);
    case arrow::Type::INT32:
      return number<arrow::Int32Array>(array, i);
    case arrow::Type::INT64:
      return number<arrow::Int64Array>(array, i);
    case arrow::Type::UINT8:
      return number<arrow::UInt8Array>(array, i);
    case arrow::Type::UINT16:
      return number<arrow::UInt16Array>(array, i);
    case arrow::Type::UINT32:
      return number<arrow::UInt32Array>(array, i);
    case arrow::Type::UINT64:
      return number<arrow::UInt64Array>(array, i);
    case arrow::Type::HALF_FLOAT:
      return arrow::util::Float16::FromBits(static_cast<const arrow::HalfFloatArray&>(array).Value(i)).ToDouble();
    case arrow::Type::FLOAT:
      return number<arrow::FloatArray>(array, i);
    case arrow::Type::DOUBLE:
      return number<arrow::DoubleArray>(array, i);
    case arrow::Type::LIST:
      return list<arrow::ListArray>(array, i);
    case arrow::Type::LARGE_LIST:
      return list<arrow::LargeListArray>(array, i);
    case arrow::Type::FIXED_SIZE_LIST:
      return list<arrow::FixedSizeListArray>(array, i);
    case arrow::Type::LIST_VIEW:
      return list<arrow::ListViewArray>(array, i);
    case arrow::Type::LARGE_LIST_VIEW:
      return list<arrow::LargeListViewArray>(array, i);
    case arrow::Type::MAP:
      return map_items(static_cast<const arrow::MapArray&>(array), i);
    case arrow::Type::STRUCT:
      return fields(static_cast<const arrow::StructArray&>(array), i);
    case arrow::Type::EXTENSION:
      return to_json(*static_cast<const arrow::ExtensionArray&>(array).storage(), i);
    case arrow::Type::DICTIONARY: {
      const auto& words = static_cast<const arrow::DictionaryArray&>(array);
      return to_json(*words.dictionary(), words.GetValueIndex(i));
    }
    case arrow::Type::FIXED_SIZE_BINARY:
      return utf8_lossy(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(i));
    default: {
      const auto scalar = array.GetScalar(i);
      if (!scalar.ok()) throw parquet::ParquetException(scalar.status().message());
      return utf8_lossy((*scalar)->ToString());
    }
  }
}

/// Names become the keys of JSON objects.
bool names_are_utf8(const arrow::FieldVector& fields) {
  return std::ranges::all_of(
      fields, [](const auto& f) { return !first_invalid_utf8(f->name()) && names_are_utf8(f->type()->fields()); });
}

/// An open file with its memory limit.
class Reader {
 public:
  explicit Reader(const fs::path& path)
      : path_(path), counted_(arrow::system_memory_pool()), limited_(&counted_, limit(path)) {
    parquet::ReaderProperties properties(&limited_);
    properties.enable_buffered_stream();
    properties.set_buffer_size(k_stream_bytes);
    properties.set_thrift_string_size_limit(k_max_metadata_string);
    properties.set_thrift_container_size_limit(k_max_metadata_list);
    properties.set_schema_depth_limit(k_max_depth);
    properties.set_page_checksum_verification(true);
    parquet::arrow::FileReaderBuilder builder;
    check(builder.Open(take(arrow::io::ReadableFile::Open(path.string(), &limited_)), properties));
    parquet::ArrowReaderProperties reading(false);
    reading.set_pre_buffer(false);
    reading.set_batch_size(batch_rows(*builder.raw_reader()->metadata()));
    reader_ = take(builder.memory_pool(&limited_)->properties(reading)->Build());
    check(reader_->GetSchema(&schema_));
    if (schema_->num_fields() == 0) fail(path, "it has no columns");
    if (!names_are_utf8(schema_->fields())) fail(path, "a column's name is not UTF-8");
  }

  const arrow::Schema& schema() const { return *schema_; }

  /// The place of a string column; its values are one leaf of the file.
  int leaf_of(const std::string& column) const {
    std::string names;
    for (const auto& field : reader_->manifest().schema_fields) {
      if (!field.is_leaf() || !is_text(*field.field->type())) continue;
      if (field.field->name() == column) return field.column_index;
      if (names.size() < 200) names += (names.empty() ? "\"" : ", \"") + field.field->name() + "\"";
    }
    throw InputError(
        path_.string() + ": expected a column of strings named \"" + column + "\"" +
        (names.empty() ? "; the file has no string column" : "; string columns here: " + utf8_lossy(names)));
  }

  /// `visit` returns false to stop.
  template <class Visit>
  bool for_each_batch(const std::vector<int>& leaves, const Visit& visit) {
    std::vector<int> groups(static_cast<std::size_t>(reader_->num_row_groups()));
    for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = static_cast<int>(i);
    const auto batches =
        take(leaves.empty() ? reader_->GetRecordBatchReader(groups) : reader_->GetRecordBatchReader(groups, leaves));
    std::shared_ptr<arrow::RecordBatch> batch;
    for (std::int64_t row = 1;; row += batch->num_rows()) {
      check(batches->ReadNext(&batch));
      if (batch == nullptr) return true;
      const arrow::Status valid = batch->ValidateFull();
      if (!valid.ok()) fail(path_, "behind row " + std::to_string(row - 1) + ": " + valid.message());
      if (!visit(*batch, row)) return false;
    }
  }

 private:
  static std::int64_t limit(const fs::path& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) throw InputError(path.string() + ": expected a regular file");
    const auto bytes = static_cast<std::int64_t>(std::min<std::uintmax_t>(fs::file_size(path, error), INT64_MAX / 128));
    return k_free_bytes + k_bytes_per_file_byte * bytes;
  }
  void check(const arrow::Status& status) const {
    if (!status.ok()) fail(path_, status.message());
  }
  template <class T>
  T take(arrow::Result<T> result) const {
    check(result.status());
    return std::move(result).ValueUnsafe();
  }
  static std::int64_t batch_rows(const parquet::FileMetaData& file) {
    double bytes = 0;
    for (int g = 0; g < file.num_row_groups(); ++g) bytes += static_cast<double>(file.RowGroup(g)->total_byte_size());
    const double row = bytes / static_cast<double>(std::max<std::int64_t>(file.num_rows(), 1));
    return static_cast<std::int64_t>(std::clamp(static_cast<double>(k_batch_bytes) / std::max(row, 1.0), 1.0,
                                                static_cast<double>(k_max_batch_rows)));
  }

  fs::path path_;
  arrow::ProxyMemoryPool counted_;
  arrow::CappedMemoryPool limited_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::Schema> schema_;
};

/// Arrow answers with Status in most places and throws in some; a visitor's InputError passes.
template <class Read>
bool guarded(const fs::path& path, const Read& read) {
  try {
    return read();
  } catch (const parquet::ParquetException& error) {
    fail(path, error.what());
  } catch (const std::bad_alloc&) {
    fail(path, "it asks for more memory than there is");
  } catch (const std::length_error& error) {
    fail(path, error.what());
  }
}

}  // namespace

bool for_each_parquet_row(const fs::path& path, const std::function<bool(Json&&, std::int64_t)>& visit) {
  return guarded(path, [&] {
    Reader reader(path);
    return reader.for_each_batch({}, [&](const arrow::RecordBatch& batch, std::int64_t first) {
      for (std::int64_t i = 0; i < batch.num_rows(); ++i) {
        Json row = Json::object();
        for (int c = 0; c < batch.num_columns(); ++c) row[batch.column_name(c)] = to_json(*batch.column(c), i);
        if (!visit(std::move(row), first + i)) return false;
      }
      return true;
    });
  });
}

bool for_each_parquet_text(const fs::path& path, const std::string& column,
                           const std::function<bool(std::string_view, std::int64_t)>& visit) {
  return guarded(path, [&] {
    Reader reader(path);
    return reader.for_each_batch({reader.leaf_of(column)}, [&](const arrow::RecordBatch& batch, std::int64_t first) {
      const arrow::Array& texts = *batch.column(0);
      for (std::int64_t i = 0; i < batch.num_rows(); ++i) {
        if (texts.IsNull(i)) continue;
        const std::string_view text = text_at(texts, i);
        if (const auto bad = first_invalid_utf8(text))
          throw InputError(path.string() + ": row " + std::to_string(first + i) + ": invalid UTF-8 at byte " +
                           std::to_string(*bad) + " of \"" + column + "\"");
        if (!visit(text, first + i)) return false;
      }
      return true;
    });
  });
}

}  // namespace engine
