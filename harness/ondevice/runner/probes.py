"""Marks inferences of many small TFLite files for the plugin of the emulator that this board is in.

Nothing else of the runner uses this: the controller makes a program of it and of the markers alone.
"""

import sys
from typing import Any, Callable

from .regions import Markers, mark, nothing


def inference_of_zeros(content: bytes) -> Callable[[], Any]:
    """An inference of a file on one thread, whose inputs are zeros."""
    litert = __import__("ai_edge_litert.interpreter", fromlist=["Interpreter"])
    numpy = __import__("numpy")
    interpreter = litert.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], numpy.zeros(detail["shape"], detail["dtype"]))
    invoke: Callable[[], Any] = interpreter.invoke
    return invoke


def mark_files() -> None:
    """Mark a call of nothing, and then an inference of each file, with so many regions each.

    Arguments of the program: a path, the number of regions, and folders of packages. The path's file has TFLite files
    one after the other, each after its length in four bytes.
    """
    path, regions = sys.argv[1], int(sys.argv[2])
    sys.path[:0] = sys.argv[3:]
    markers = Markers()
    mark(markers, nothing, regions)
    with open(path, "rb") as handle:
        length = handle.read(4)
        while length:
            invoke = inference_of_zeros(handle.read(int.from_bytes(length, "little")))
            invoke()  # what is only done once is not to be seen
            mark(markers, invoke, regions)
            length = handle.read(4)
