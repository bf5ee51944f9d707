"""Frames between the loop and the worker survive the pipe and refuse noise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from controller.neurocore import wire

shapes = arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=6)
numbers = arrays.arrays(np.int32, shapes) | arrays.arrays(np.float64, shapes)
heads = st.dictionaries(st.text(), st.integers() | st.text() | st.booleans())


@given(heads, st.dictionaries(st.text(), numbers, max_size=3))
def test_a_frame_comes_back_as_it_was(head, contents):
    stream = io.BytesIO(wire.encode(wire.Frame(head, contents)) * 2)
    for _ in range(2):
        frame = wire.read(stream.read)
        assert frame.head == head
        assert frame.arrays.keys() == contents.keys()
        for name, array in contents.items():
            assert frame.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(frame.arrays[name], array)
    assert stream.read() == b""


def test_a_stray_print_is_recognised_as_noise():
    with pytest.raises(wire.BrokenFrame, match="not one of ours"):
        wire.read(io.BytesIO(b"Traceback (most recent call last)").read)
