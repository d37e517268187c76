"""The command line: ``harness.cli:main`` is what the ``harness`` program calls."""


def main() -> None:
    """Run the command that ``sys.argv`` holds; never returns, see :func:`harness.cli.app.main`."""
    from harness.cli import app

    app.main()
