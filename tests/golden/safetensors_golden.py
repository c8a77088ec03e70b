"""Writes safetensors.bin with the Python package, for test_safetensors.c, and reads back what elbow writes.

    pip install "safetensors>=0.8" numpy
    python safetensors_golden.py                 # writes safetensors.bin beside this script
    python safetensors_golden.py FILE            # reads FILE with the Python package and prints what it holds
"""
import pathlib
import sys

import numpy
import safetensors

# bfloat16 is unknown to numpy: the upper halves of 1, -3.5 and 2^-100 as float32.
BRAIN = numpy.array([1.0, -3.5, 2.0**-100], "<f4").view("<u2")[1::2].copy()
TENSORS = {
    "half": ("float16", numpy.array([[1.0, -2.5, 65504.0], [2.0**-24, -0.0, numpy.inf]], "<f2")),
    "brain": ("bfloat16", BRAIN),
    "single": ("float32", numpy.array([[0.1, -1e-30], [3e38, 7]], "<f4")),
    "double": ("float64", numpy.array([0.1], "<f8")),
    "count": ("int64", numpy.array([-1, 2**62], "<i8")),
    "byte": ("uint8", numpy.array([0, 7, 255], "u1")),
    "scalar": ("float32", numpy.array(2.5, "<f4")),
    "empty": ("float32", numpy.zeros((0, 4), "<f4")),
}

if len(sys.argv) > 1:
    with safetensors.safe_open(sys.argv[1], "numpy") as file:
        print(sorted((file.metadata() or {}).items()))
        for name in sorted(file.keys()):
            array = file.get_tensor(name)
            print(name, array.dtype, array.shape, array.tolist())
else:
    specs = {
        name: safetensors.TensorSpec(dtype=dtype, shape=list(array.shape), data_ptr=array.ctypes.data, data_len=array.nbytes)
        for name, (dtype, array) in TENSORS.items()
    }
    data = safetensors.serialize(specs, {"made by": "Python", "text": "caf\u00e9 \"quoted\"\n"})
    pathlib.Path(__file__).with_name("safetensors.bin").write_bytes(data)
