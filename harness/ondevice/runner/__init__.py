"""Runs one model on one board and times it. Python 3.6 syntax and library, numpy and the runtime alone.

    runner.py --job JOB.json --result RESULT.json      (JOB "-": one line of JSON on stdin)

The job is :class:`harness.records.order.Order` as JSON. The result goes to the named file, whole or not at all; stdout
stays empty; stderr is for people. Whatever goes wrong ends up in the result as
{"status": "error", "code": ..., "text": ...}. With the job on stdin, the runner ends when stdin does: a controller that
is gone leaves nothing running here.

Only ``invoke`` (TFLite) or ``run_with_iobinding`` (ONNX Runtime) is timed: the input is in the runtime's own tensor
before the clock starts, and the output is read after it has stopped. Predictions come from the very invocations that
were timed. Expected answers are never sent to a board.

The board's state is read before, between whole passes and after; nothing is read while an invocation runs. The job says
which files and commands tell it.

The runtime is imported from the job's ``packages``. PYTHONPATH could not name a folder with a colon in its name.
"""
