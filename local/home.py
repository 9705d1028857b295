"""``$INTERLINE_HOME``: everything that a local hub keeps, readable by its owner only."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chalicelib.errors import Conflict

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Home:
    """The files of one local hub."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> "Home":
        """The home at ``root``, made when it is missing."""
        home = cls(root.resolve())
        home.root.mkdir(parents=True, exist_ok=True)
        home.root.chmod(0o700)
        return home

    @property
    def database(self) -> Path:
        """The SQLite file, unless ``INTERLINE_DATABASE_URL`` names another database."""
        return self.root / "interline.db"

    @property
    def aws(self) -> Path:
        """Where the AWS stand-in keeps objects and state."""
        return self.root / "aws"

    @property
    def outside(self) -> Path:
        """Where the stand-ins of outside systems keep their state."""
        return self.root / "outside"

    @property
    def secrets(self) -> Path:
        """What Secrets Manager is seeded with at every start."""
        return self.root / "secrets.json"

    @property
    def admin_key(self) -> Path:
        """The first administrator's key."""
        return self.root / "admin.key"

    @property
    def variables(self) -> Path:
        """The environment of the latest hub's processes, for a shell that starts one more."""
        return self.root / "hub.env"

    @property
    def log(self) -> Path:
        """What all processes logged."""
        return self.root / "hub.log"

    @property
    def rules_seen(self) -> Path:
        """Which rule files the watcher has looked at, and when they were written."""
        return self.root / "rules-seen.json"

    @property
    def _state(self) -> Path:
        return self.root / "hub.json"

    def state(self) -> dict[str, Any]:
        """Addresses and processes of the latest hub here, and what was done once; empty before the first start."""
        try:
            found = json.loads(self._state.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Replace the state as a whole: a reader or a crash sees the old one or the new one."""
        write_private(self._state, json.dumps(state, indent=2, sort_keys=True) + "\n")

    def lock(self) -> IO[str]:
        """The right to run a hub here, held until the file is closed or its process ends.

        Raises Conflict when a live hub holds it.
        """
        file = (self.root / "hub.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            state = self.state()
            raise Conflict(
                f"A hub is already running here: {state.get('url', 'still starting')} (process {state.get('pid', '?')},"
                f" home {self.root}). Stop it, or choose another INTERLINE_HOME.",
                code="hub_running",
            ) from error
        return file


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, replacing it at once."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
