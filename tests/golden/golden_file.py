"""golden_file.py - safetensors with the same bytes every time: the package writes the metadata in random order."""

import json
import pathlib

from safetensors.torch import save


def write(tensors, name, metadata, keep=False):
    """Beside this script, as float32, or, with `keep`, as they are."""
    data = save({n: (t if keep else t.float()).detach().contiguous() for n, t in tensors.items()}, metadata)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (pathlib.Path(__file__).parent / name).write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length:])
