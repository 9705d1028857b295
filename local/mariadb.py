"""A private MariaDB on a temporary directory, for tests and measurements; it listens on a Unix socket only."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INSTALL_HINT = (
    "MariaDB is needed: `sudo apt-get install mariadb-server` (Debian) or `brew install mariadb` (macOS),"
    " or set TEST_MYSQL_URL to a server whose user may create databases."
)
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0


class MissingServer(RuntimeError):
    """There is no mariadbd on this machine; the message says how to install it."""


@contextmanager
def private_server(*, durable: bool = False, buffer_pool_mb: int = 256, redo_log_mb: int = 96) -> Iterator[str]:
    """Start a server, yield its SQLAlchemy URL (without a database name), and stop and remove it afterwards.

    ``durable`` keeps InnoDB's default flush at each commit, as a production server has it; ``redo_log_mb`` is InnoDB's
    default size unless told. Raises MissingServer.
    """
    server, installer = _program("mariadbd"), _program("mariadb-install-db")
    # A Unix socket's path may have 107 characters: so not below a deep test folder.
    with tempfile.TemporaryDirectory(prefix="interline-db-") as folder:
        data, socket = Path(folder) / "data", Path(folder) / "sock"
        shared = ["--no-defaults", f"--datadir={data}", f"--tmpdir={folder}", "--user=root"]
        subprocess.run(  # noqa: S603 - our own arguments
            [installer, *shared, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            capture_output=True,
            timeout=_START_TIMEOUT_S,
        )
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own arguments
                [
                    server,
                    *shared,
                    f"--socket={socket}",
                    "--skip-networking",
                    "--skip-name-resolve",
                    "--character-set-server=utf8mb4",
                    "--collation-server=utf8mb4_bin",
                    "--local-infile=1",
                    "--max-connections=300",
                    "--innodb-lock-wait-timeout=20",
                    f"--innodb-buffer-pool-size={buffer_pool_mb}M",
                    f"--innodb-log-file-size={redo_log_mb}M",
                    f"--innodb-flush-log-at-trx-commit={1 if durable else 0}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            _wait_for(process, socket, Path(folder) / "log")
            yield f"mysql+pymysql://root@localhost/?unix_socket={socket}"
        finally:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if found is None:
        raise MissingServer(INSTALL_HINT)
    return found


def _wait_for(process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    import pymysql

    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if socket.exists():
            try:
                pymysql.connect(unix_socket=str(socket), user="root", ssl_disabled=True).close()
            except pymysql.err.OperationalError:
                time.sleep(0.05)
                continue
            return
        time.sleep(0.05)
    raise RuntimeError(f"The private MariaDB did not start: {log.read_text(errors='replace')[-2000:]}")
