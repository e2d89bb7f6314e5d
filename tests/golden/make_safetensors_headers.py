"""Writes safetensors_headers.json: hostile and odd files with the verdict of the PyPI library (safetensors 0.8.0).

    pip install safetensors==0.8.0 && python make_safetensors_headers.py

Each case: the header length field (null: the true one), the header (latin-1), how many data bytes follow, and whether
the library accepts the file. `stricter` marks what the format text forbids and the library lets through.
"""
import json
import pathlib
import struct

from safetensors import deserialize

U64 = 2**64


def tensor(dtype="U8", shape="[1]", offsets="[0,1]", extra=""):
    return '{"dtype":"%s","shape":%s,"data_offsets":%s%s}' % (dtype, shape, offsets, extra)


def one(data=1, **kw):
    return '{"a":%s}' % tensor(**kw), data


def many(*tensors):
    return "{" + ",".join('"t%d":%s' % (i, t) for i, t in enumerate(tensors)) + "}"


cases = []


def add(name, header, data=0, length=None, stricter=False):
    cases.append({"name": name, "length": length, "header": header, "data_bytes": data, "stricter": stricter})


good, n = one()
add("plain", good, 1)
add("no tensor", "{}")
add("trailing spaces", good + "     ", 1)
add("trailing newline", "{}\n")
add("leading space", " " + good, 1)
add("scalar", *one(data=4, dtype="F32", shape="[]", offsets="[0,4]"))
add("empty tensor", *one(data=0, shape="[0]", offsets="[0,0]"))
add("zero before a huge size", *one(data=0, dtype="F32", shape="[0,9223372036854775807,4]", offsets="[0,0]"))
add("empty name", '{"":%s}' % tensor(), 1)
add("unknown field", *one(extra=',"z":[1,{"y":null}]'))
add("metadata null", '{"__metadata__":null}')
add("metadata empty", '{"__metadata__":{}}')
add("metadata strings", '{"__metadata__":{"format":"pt"},"a":%s}' % tensor(), 1)
add("four bits, whole byte", *one(data=2, dtype="F4", shape="[4]", offsets="[0,2]"))
add("empty tensor between", many(tensor(), tensor(shape="[0]", offsets="[1,1]"), tensor(offsets="[1,2]")), 2)
add("unsorted order", many(tensor(offsets="[1,2]"), tensor(offsets="[0,1]")), 2)
add("deep unknown field", *one(extra=',"z":' + "[" * 100 + "]" * 100))
add("float8", *one(data=1, dtype="F8_E4M3"))
add("complex", *one(data=8, dtype="C64", offsets="[0,8]"))

add("header length 0", "", 0)
add("header length beyond the file", good, 1, length=10_000)
add("header length 100,000,001", good, 1, length=100_000_001)
add("header length 2^63", good, 1, length=2**63)
add("header length 2^64-1", good, 1, length=U64 - 1)
add("header length wraps 8+N to 0", good, 1, length=U64 - 8)
add("header length wraps 8+N to 3", good, 1, length=U64 - 5)
add("header length one short", good, 1, length=len(good) - 1)
add("header length one long", good, 1, length=len(good) + 1)
add("array", "[]")
add("string", '"a"')
add("number", "1")
add("null", "null")
add("NUL padding", "{}\0\0")
add("second value", "{}{}")
add("byte order mark", "\xef\xbb\xbf{}")
add("invalid UTF-8", '{"__metadata__":{"a":"\xff"}}')
add("overlong UTF-8", '{"__metadata__":{"a":"\xc0\x80"}}')
add("surrogate in UTF-8", '{"__metadata__":{"a":"\xed\xa0\x80"}}')
add("lone surrogate escape", '{"__metadata__":{"a":"\\ud800"}}')
add("raw control character", '{"__metadata__":{"a":"\x01"}}')
add("unclosed", good[:-1], 1)
add("single quotes", "{'a':1}")
add("trailing comma", '{"a":%s,}' % tensor(), 1)
add("nesting of 200", *one(extra=',"z":' + "[" * 200 + "]" * 200))
add("nesting of 100,000", "[" * 100_000)
add("number overflow", *one(extra=',"z":1e999'))
add("metadata number", '{"__metadata__":{"a":1}}')
add("metadata array", '{"__metadata__":[]}')
add("metadata object", '{"__metadata__":{"a":{}}}')
add("metadata null value", '{"__metadata__":{"a":null}}')
add("metadata twice", '{"__metadata__":{"a":"b"},"__metadata__":{"a":"c"}}')
add("tensor null", '{"a":null}')
add("tensor number", '{"a":1}')
add("tensor string", '{"a":"U8"}')
add("no dtype", '{"a":{"shape":[1],"data_offsets":[0,1]}}', 1)
add("no shape", '{"a":{"dtype":"U8","data_offsets":[0,1]}}', 1)
add("no offsets", '{"a":{"dtype":"U8","shape":[1]}}', 1)
add("dtype twice", '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1)
add("unknown dtype", *one(dtype="F31"))
add("lower-case dtype", *one(data=4, dtype="f32", offsets="[0,4]"))
add("dtype with a space", *one(dtype="U8 "))
add("dtype number", '{"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}}', 1)
add("negative size", *one(shape="[-1]"))
add("minus zero size", *one(data=0, shape="[-0]", offsets="[0,0]"))
add("fractional size", *one(shape="[1.0]"))
add("exponent size", *one(shape="[1e0]"))
add("string size", *one(shape='["1"]'))
add("nested size", *one(shape="[[1]]"))
add("null shape", *one(shape="null"))
add("size 2^64", *one(shape="[18446744073709551616]"))
add("product wraps to 0", *one(data=0, shape="[4294967296,4294967296]", offsets="[0,0]"))
add("product wraps to 1", *one(shape="[18446744073709551615,18446744073709551615]"))
add("bytes wrap", *one(data=0, dtype="F32", shape="[4611686018427387904]", offsets="[0,0]"))
add("bits wrap", *one(data=0, dtype="U8", shape="[2305843009213693952]", offsets="[0,2305843009213693952]"))
add("overflow before a zero", *one(data=0, dtype="F32", shape="[9223372036854775807,4,0]", offsets="[0,0]"))
add("end near 2^64", *one(data=0, shape="[18446744073709551607]", offsets="[0,18446744073709551607]"))
add("shape larger than span", *one(shape="[2]"))
add("shape smaller than span", *one(data=2, shape="[1]", offsets="[0,2]"))
add("dtype larger than span", *one(dtype="F64"))
add("negative offset", *one(offsets="[-1,0]"))
add("minus zero offset", *one(offsets="[-0,1]"))
add("reversed offsets", *one(offsets="[1,0]"))
add("one offset", *one(offsets="[0]"))
add("three offsets", *one(offsets="[0,1,1]"))
add("fractional offset", *one(offsets="[0,1.0]"))
add("begins behind a hole", *one(data=2, offsets="[1,2]"))
add("hole between", many(tensor(), tensor(offsets="[2,3]")), 3)
add("overlap", many(tensor(shape="[2]", offsets="[0,2]"), tensor(shape="[2]", offsets="[1,3]")), 3)
add("same span twice", many(tensor(), tensor()), 1)
add("memory bomb of overlaps", many(*[tensor(shape="[64]", offsets="[0,64]")] * 50), 64)
add("data one byte short", *one(data=3, dtype="F32", offsets="[0,4]"))
add("data one byte long", good, 2)
add("no data", good, 0)
add("data without tensors", "{}", 4)
add("half a byte", *one(data=2, dtype="F4", shape="[3]", offsets="[0,2]"))
add("six bits, ragged", *one(data=1, dtype="F6_E2M3", shape="[1]", offsets="[0,1]"))
add("tensor name twice", '{"a":%s,"a":%s}' % (tensor(), tensor()), 1, stricter=True)
add("metadata key twice", '{"__metadata__":{"a":"b","a":"c"}}', stricter=True)
add("tensor as an array", '{"a":["U8",[1],[0,1]]}', 1, stricter=True)

for case in cases:
    header = case["header"].encode("latin-1")
    length = len(header) if case["length"] is None else case["length"]
    try:
        deserialize(struct.pack("<Q", length) + header + b"x" * case["data_bytes"])
        case["accepted"] = True
    except Exception:
        case["accepted"] = False
    if len(header) > 5000:  # kept short in the file
        case["header"], case["repeat"] = case["header"][0], len(header)
    if case["length"] is not None:
        case["length"] = str(case["length"])

out = pathlib.Path(__file__).with_name("safetensors_headers.json")
out.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases,", sum(not c["accepted"] for c in cases), "refused")
