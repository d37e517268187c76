"""Type aliases of the runner."""

from typing import Any, Dict

#: A JSON object: the order (:class:`harness.records.order.Order`), the answer, or a part of them.
Json = Dict[str, Any]

#: A numpy array. numpy is imported only after the job has named the packages, so its type is not available here.
Array = Any
