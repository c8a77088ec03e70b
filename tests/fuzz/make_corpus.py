"""Writes the seed corpora of the data readers' fuzzers, with NumPy and zlib as independent authors of the formats.
The unit tests of the readers read the same files. Run: python3 make_corpus.py (needs NumPy)."""
import gzip
import io
import os
import struct
import zipfile
import zlib

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(path, data):
    path = os.path.join(FOLDER, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def idx(code, dtype, array):
    sizes = b"".join(struct.pack(">I", n) for n in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(dtype).tobytes()


def make_idx():
    write("idx/u1_2x3x4", idx(0x08, ">u1", np.arange(24).reshape(2, 3, 4) * 10))
    write("idx/i1_2x3", idx(0x09, ">i1", np.arange(-3, 3).reshape(2, 3)))
    write("idx/i2_4", idx(0x0B, ">i2", np.array([-32768, -1, 0, 32767])))
    write("idx/i4_2x2", idx(0x0C, ">i4", np.array([[-5, 7], [1 << 24, -(1 << 24)]])))
    write("idx/f4_2x2", idx(0x0D, ">f4", np.array([[0.5, -1.25], [np.nan, 3e8]])))
    write("idx/f8_1x2", idx(0x0E, ">f8", np.array([[0.1, -1e300]])))
    write("idx/u1_2x2_gz", gzip.compress(idx(0x08, ">u1", np.arange(4).reshape(2, 2)), mtime=0))


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


def make_npy():
    values = np.array([[0, 1, 2], [3, 100, 127]])
    orders = {"|": "n", "<": "l", ">": "b"}
    for dtype in "|u1 |i1 <i2 >i2 <u2 <i4 >u4 <i8 <u8 <f2 >f2 <f4 >f4 <f8 >f8".split():
        write("npy/" + orders[dtype[0]] + dtype[1:], npy(values.astype(dtype)))
    write("npy/bool", npy(values > 1))
    write("npy/fortran", npy(np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype("<f4"))))
    write("npy/version2", npy(values.astype("<f4"), (2, 0)))
    write("npy/version3", npy(values.astype("<f4"), (3, 0)))
    halves = [0, -0.0, 2.0**-24, 2.0**-14, 65504, -np.inf, np.nan, 1 / 3]
    write("npy/half_special", npy(np.array(halves).astype("<f2")))
    write("npy/fields", npy(np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")])))
    write("npy/text", npy(np.array(["ab", "c"])))
    write("npy/scalar", npy(np.array(3.0)))
    write("npy/rank5", npy(np.zeros((1, 1, 1, 1, 1), "<f4")))


def npz(save, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def make_npz():
    x, y = np.arange(6).reshape(2, 3).astype("<f4"), np.arange(2)
    write("npz/stored", npz(np.savez, x=x, y=y))
    write("npz/deflated", npz(np.savez_compressed, x=x, y=y))
    write("npz/single", npz(np.savez_compressed, images=(np.arange(64) % 7).astype("u1").reshape(4, 4, 4)))
    write("npz/no_x", npz(np.savez, a=x, b=y))
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 100  # as if the archive were above 4 GiB
    write("npz/zip64", npz(np.savez, x=x, y=y))
    zipfile.ZIP64_LIMIT = limit
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    write("npz/empty", empty.getvalue())


def make_csv():
    write("csv/header", b"a,b,c\n1,2,3\n4,5.5,-6e-1\n")
    write("csv/tabs", b"1\t2\n3\t4\n")
    write("csv/semicolon", b"\xef\xbb\xbfx;y\r\n1;\r\n;nan\r\n\r\n")
    write("csv/quoted", b'"a, b",c\n"1.5",2\n3,"4"\n')
    write("csv/word", b"1,2\n3,four\n")
    write("csv/ragged", b"1,2\n3\n")
    write("csv/exponent", b"1e5,-2.5E-3,+7,inf,123456789012345678901234567890")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, color, rows, extra=b"", interlace=0):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def make_png():
    write("png/grey", png(3, 2, 8, 0, [bytes([0, 127, 255]), bytes([1, 2, 3])]))
    write("png/grey1", png(3, 1, 1, 0, [bytes([0b10100000])]))
    write("png/grey16", png(1, 1, 16, 0, [bytes([1, 2])]))
    write("png/rgb", png(2, 1, 8, 2, [bytes([1, 2, 3, 4, 5, 6])]))
    write("png/rgba", png(1, 2, 8, 6, [bytes([9, 8, 7, 0]), bytes([6, 5, 4, 255])]))
    colours = chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60])) + chunk(b"tRNS", bytes([0]))
    write("png/palette", png(2, 1, 1, 3, [bytes([0b01000000])], colours))
    write("png/interlaced", png(1, 1, 8, 0, [bytes([77])], interlace=1))
    write("png/huge", png(16000, 16000, 8, 2, [b""]))


if __name__ == "__main__":
    make_idx()
    make_npy()
    make_npz()
    make_csv()
    make_png()
