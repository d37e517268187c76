"""``FILE REGIONS PACKAGE...``: FILE has TFLite files one after the other, each after its length in four bytes.

First a call of nothing is marked, then each file's inference, with so many regions each.
"""

import sys
from typing import Any, Callable

from .regions import Markers, mark, nothing


def inference(content: bytes) -> Callable[[], Any]:
    """An inference of a file on one thread, whose inputs are zeros."""
    litert = __import__("ai_edge_litert.interpreter", fromlist=["Interpreter"])
    numpy = __import__("numpy")
    interpreter = litert.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], numpy.zeros(detail["shape"], detail["dtype"]))
    invoke: Callable[[], Any] = interpreter.invoke
    return invoke


def main() -> None:
    path, regions = sys.argv[1], int(sys.argv[2])
    sys.path[:0] = sys.argv[3:]
    markers = Markers()
    mark(markers, nothing, regions)
    with open(path, "rb") as handle:
        while True:
            length = handle.read(4)
            if not length:
                return
            invoke = inference(handle.read(int.from_bytes(length, "little")))
            invoke()  # what is only done once is not to be seen
            mark(markers, invoke, regions)


if __name__ == "__main__":
    main()
