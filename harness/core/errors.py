"""The one exception tree of the project.

Foreign errors (paramiko, OSError, pydantic, TensorFlow...) are mapped to one of these at the edge where they
enter. Code further in catches no other class. Only :mod:`harness.cli.app` turns them into exit codes.

::

    HarnessError
    ├── UsageError                 exit 2, raised before anything is touched
    │   ├── ConfigError            devices.yaml: file, line and fix
    │   ├── ModelFileError         a model file that a user named is missing, damaged or no model, or needs a shape
    │   ├── MissingExtraError      an optional dependency ([train], [cluster], [s3]) is not installed
    │   ├── MissingModelError      a network or variant asked for is not built
    │   └── ClusterError           the Dask cluster asked for can't be used: nobody answers, or its versions differ
    ├── DataError                  a data set is not what it should be
    ├── MetricError                a metric of the user's own failed, or returned what is no number
    ├── BuildError                 training, compression or export went wrong
    ├── ArtifactError              a model file or manifest is missing, damaged or not as recorded
    ├── ConversionError            a model file can't be brought into the form that a runtime reads
    ├── BoardError                 one board can't be used; the others go on
    │   ├── EmulatorError          QEMU or its image
    │   │   └── EmulatorMissingError   QEMU is not installed
    │   ├── TransportError         the connection
    │   │   ├── SshSettingsError       the user's ssh configuration, or OpenSSH here, is broken
    │   │   ├── UnreachableError       nobody answers
    │   │   ├── HostKeyError           the host key is unknown or changed
    │   │   ├── AuthenticationError    the board doesn't let us in
    │   │   ├── ConnectionLostError    an open connection broke
    │   │   ├── LoginShellError        the login shell there did not run our command
    │   │   ├── RemoteTimeoutError     a command did not end in time
    │   │   ├── RemoteCommandError     a command ended badly
    │   │   ├── OutputLimitError       a board sent more than it may
    │   │   └── TransferError          a file did not arrive as it was sent
    │   ├── EstimateError          cycles can't be estimated: a compiler, llvm-mca or QEMU's plugins are missing or fail
    │   ├── LeaseError             another controller holds the board
    │   ├── ProvisionError         no runtime fits this board, or it can't be fetched or unpacked
    │   │   └── PlaceError             the harness's folder there can't be used: read-only, full, noexec, no home...
    │   └── RunnerError            the runner on the board gave no usable answer
    ├── StoreError                 files can't be read or written
    │   └── LockTakenError             another process works there
    └── ReportError                a report can't be made from these results
"""

from __future__ import annotations


class HarnessError(Exception):
    """Base of every error a user may see.

    Args:
        message: names the thing and the place, in one line.
        fix: what to do about it, in one line; shown after the message.
    """

    #: short stable code used in a cell's ``reasons``
    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} ({self.fix})" if self.fix else self.message


class UsageError(HarnessError):
    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """devices.yaml is wrong; ``file`` and ``line`` (1-based) say where."""

    code = "config"

    def __init__(self, message: str, *, file: str = "", line: int | None = None, fix: str | None = None) -> None:
        place = f"{file}:{line}: " if line is not None else (f"{file}: " if file else "")
        super().__init__(place + message, fix=fix)
        self.file = file
        self.line = line


class ModelFileError(UsageError):
    code = "model-file"


class MissingExtraError(UsageError):
    code = "missing-extra"


class MissingModelError(UsageError):
    """``names`` are the networks to build."""

    code = "missing-model"

    def __init__(self, message: str, *, names: tuple[str, ...]) -> None:
        super().__init__(message, fix=f"harness build {' '.join(names)}".strip())
        self.names = names


class ClusterError(UsageError):
    code = "cluster"


class DataError(HarnessError):
    code = "data"


class MetricError(HarnessError):
    code = "metric"


class BuildError(HarnessError):
    code = "build"


class ArtifactError(HarnessError):
    code = "artifact"


class ConversionError(HarnessError):
    code = "not-converted"


class BoardError(HarnessError):
    code = "board"


class EmulatorError(BoardError):
    code = "emulator"


class EmulatorMissingError(EmulatorError):
    code = "emulator-missing"


class TransportError(BoardError):
    code = "transport"


class SshSettingsError(TransportError):
    code = "ssh-settings"


class UnreachableError(TransportError):
    code = "unreachable"


class HostKeyError(TransportError):
    code = "host-key"


class AuthenticationError(TransportError):
    code = "authentication"


class ConnectionLostError(TransportError):
    code = "connection-lost"


class LoginShellError(TransportError):
    code = "login-shell"


class RemoteTimeoutError(TransportError):
    code = "timeout"


class RemoteCommandError(TransportError):
    code = "remote-command"


class OutputLimitError(TransportError):
    code = "output-limit"


class TransferError(TransportError):
    code = "transfer"


class EstimateError(BoardError):
    code = "estimate"


class LeaseError(BoardError):
    code = "lease"


class ProvisionError(BoardError):
    code = "provision"


class PlaceError(ProvisionError):
    code = "place"


class RunnerError(BoardError):
    code = "runner"


class StoreError(HarnessError):
    code = "store"


class CellTooLargeError(StoreError):
    """A cell has more rounds, samples or evidence than its file may hold; nothing was written."""

    code = "too-large"


class LockTakenError(StoreError):
    code = "taken"


class ReportError(HarnessError):
    code = "report"
