"""Runs one model on one board and times it. It uses Python 3.6, its library, numpy and the runtime alone.

    runner.py --job JOB.json --result RESULT.json      (JOB "-": one line of JSON on stdin)

The job is :class:`harness.records.order.Order` as JSON. The result goes to the named file, complete or not at all.
Stdout stays empty, and stderr is for people. An error becomes the result
{"status": "error", "code": ..., "text": ...}. With the job on stdin, the runner ends when stdin does, so no runner
outlives its controller. With ``--forks`` it takes many jobs from stdin and forks a process for each, see forks.py.

Only ``invoke`` (TFLite) or ``run_with_iobinding`` (ONNX Runtime) is timed: the input is in the runtime's own tensor
before the clock starts, and the output is read after it has stopped. The predictions come from the timed invocations
themselves. Labels are never sent to a board.

The board's state is read before the passes, between them and after them, and never during an invocation. The job names
the files and commands to read.

The runtime is imported from the job's ``packages``, since PYTHONPATH can't hold a folder with a colon in its name.
"""
