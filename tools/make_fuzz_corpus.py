#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, fuzz/corpus/NAME/seed-*: files that keep the rules and
files that break one each. What fuzzing adds lies beside them under other names.
usage: make_fuzz_corpus.py [ROOT]"""
import json
import pathlib
import struct
import sys

HASH = "0" * 32


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_seeds():
    f32, u8 = tensor("F32", [2, 3], 0, 24), tensor("U8", [5], 24, 29)
    yield "empty", safetensors({})
    yield "two", safetensors({"__metadata__": {"format": "pt"}, "a": f32, "b": u8}, bytes(29))
    yield "scalar", safetensors({"s": tensor("I64", [], 0, 8)}, bytes(8))
    yield "zero-size", safetensors({"z": tensor("F32", [0, 7], 0, 0), "a": f32}, bytes(24))
    yield "small-types", safetensors({"a": tensor("F4", [2, 3], 0, 3), "b": tensor("F6_E2M3", [4], 3, 6)},
                                     bytes(6))
    yield "every-type", safetensors(
        {t: tensor(t, [8], i * 64, i * 64 + 64) for i, t in enumerate(("F64", "I64", "U64", "C64"))},
        bytes(256))
    yield "padded", safetensors(json.dumps({"a": f32}).encode() + b"      ", bytes(24))
    yield "overlap", safetensors({"a": f32, "b": tensor("U8", [5], 20, 25)}, bytes(25))
    yield "gap", safetensors({"a": f32, "b": tensor("U8", [5], 25, 30)}, bytes(30))
    yield "beyond", safetensors({"a": tensor("F32", [2, 3], 8, 32)}, bytes(24))
    yield "trailing", safetensors({"a": f32}, bytes(25))
    yield "doubled", safetensors(b'{"a":' + json.dumps(f32).encode() + b',"a":' +
                                 json.dumps(f32).encode() + b"}", bytes(24))
    yield "overflow", safetensors({"a": tensor("F32", [1 << 62, 4], 0, 24)}, bytes(24))
    yield "negative", safetensors({"a": tensor("F32", [-1], 0, 24)}, bytes(24))
    yield "header-too-long", safetensors({"a": f32}, bytes(24), 10 ** 6)
    yield "header-over-limit", safetensors(b"{}", b"", 100_000_001)
    yield "header-2-64", safetensors(b"{}", b"", 2 ** 64 - 1)
    yield "not-utf8", safetensors(b'{"\xff":{}}')
    yield "deep", safetensors(b'{"a":' + b"[" * 100)
    yield "metadata-number", safetensors({"__metadata__": {"a": 1}})


def manifest_seeds():
    def file(name, size, tensors=None):
        entry = {"name": name, "bytes": size, "xxh3_128": HASH}
        return entry if tensors is None else {**entry, "tensors": tensors}

    def manifest(files, **other):
        return json.dumps({"format": 1, "step": 3, "extra": {"loss": 1.5, "data": "x"}, **other,
                           "files": files}, separators=(",", ":")).encode()

    def entry(name, dtype, shape, **crc):
        return {"name": name, "dtype": dtype, "shape": shape, **crc}
    w, z = entry("w", "F32", [2, 3], crc32c="00000000"), entry("z", "BF16", [0], crc32c="00000000")
    yield "empty", manifest([])
    yield "whole", manifest([file("config.toml", 9), file("model.safetensors", 100, [w, z]),
                             file("state.safetensors", 96, [w])])
    yield "no-header", manifest([file("model.safetensors", 24, [w])])
    yield "no-checksum", manifest([file("model.safetensors", 60, [entry("w", "F32", [2, 3])])])
    yield "too-large", manifest([file("model.safetensors", 20, [w])])
    yield "huge", manifest([file("m", 2 ** 64 - 1, [entry("w", "F64", [2 ** 60]), w])])
    yield "overflow", manifest([file("m", 2 ** 64 - 1, [entry("w", "F64", [2 ** 62, 2])])])
    yield "bad-name", manifest([file("../x", 1)])
    yield "newer-format", manifest([], format=2)
    yield "negative-step", manifest([], step=-1)
    yield "other-kinds", manifest(7, extra=[], step="3")
    yield "doubled-key", b'{"format":1,"format":1}'
    yield "not-utf8", b'{"\xff":1}'
    yield "deep", b'{"a":' + b"[" * 100
    yield "wrong-seal", manifest([])[:-1] + b',"xxh3_128":"' + HASH.encode() + b'"}\n'


def json_seeds():
    yield "every-kind", rb' {"s":"\u00e4\n","i":-9223372036854775808,"u":18446744073709551615,' \
                        rb'"d":-1.5e-7,"b":[true,false,null],"o":{"k":{}},"e":[]} '
    yield "utf8", '["ä€🎉"]'.encode()
    yield "surrogates", rb'["\ud83c\udf89"]'
    yield "lone-surrogate", rb'["\ud83c"]'
    yield "not-utf8", b'["\xed\xa0\x80"]'
    yield "overlong", b'["\xc0\xaf"]'
    yield "doubled-key", b'{"a":1,"b":{"c":1,"c":2}}'
    yield "depth-64", b"[" * 64 + b"]" * 64
    yield "depth-65", b"[" * 65 + b"]" * 65
    yield "overflow", b"[1e400]"
    yield "big-integer", b"[18446744073709551616,-9223372036854775809]"
    yield "small-double", b"[5e-324,1.7976931348623157e308,-0.0,-0]"
    yield "cut", b'{"a":"b'
    yield "nul", b'["\x00"]'
    yield "comma", b'{"a":1,}'
    yield "two", b"{} {}"
    yield "nothing", b""


def csv_seeds():
    yield "plain", b"step,loss,val_loss\n0,2.5,\n1,2.25,2.75\n"
    yield "quoted", b'a,"b,c"\r\n"x ""y""\nz",1\r\n'
    yield "cut", b"a,b\n1,2\n3"
    yield "open-quote", b'a,b\n1,"2\n3,4\n'
    yield "long-row", b"a,b\n1,2,3\n"
    yield "doubled-name", b"a,a\n"
    yield "nothing", b""


def tfevents_seeds():
    """Events without their frames, which the target adds."""
    def field(number, value):
        return bytes([number << 3 | 2, len(value)]) + value

    def event(value):
        return b"\x09" + struct.pack("<d", 1.5) + b"\x10\x07" + field(5, field(1, value))
    tensor = b"\x08\x01" + field(2, b"") + field(4, struct.pack("<f", 0.5))
    yield "version", field(3, b"brain.Event:2")
    yield "scalar", event(field(1, b"loss") + b"\x15" + struct.pack("<f", 2.5))
    yield "tensor", event(field(1, b"loss") + field(8, tensor))
    yield "double", event(field(1, b"a") + field(8, b"\x08\x02" + field(6, struct.pack("<d", 0.1))))
    yield "beyond", event(field(1, b"a"))[:-1]
    yield "endless-number", b"\x10" + b"\xff" * 11
    yield "unknown-wire", b"\x0f"


def main(root):
    targets = {"safetensors": safetensors_seeds(), "manifest": manifest_seeds(), "json": json_seeds(),
               "csv": csv_seeds(), "tfevents": tfevents_seeds()}
    for target, seeds in targets.items():
        folder = root / "fuzz" / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds:
            (folder / f"seed-{name}").write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
