"""Names for what is handed about here."""

from typing import Any, Dict

#: An object of JSON: the order (:class:`harness.records.order.Order`), a part of it, or of the answer.
Json = Dict[str, Any]

#: An array of numpy's, which is imported only once the job has told from where.
Array = Any
