"""Which hub a command talks to: ``HUB_URL`` and ``HUB_KEY``, else the local hub of ``INTERLINE_HOME``."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chalicelib.errors import NotAuthenticated, NotFound
from cli.client import HubClient
from cli.reporting import NotUsable
from local.environment import CREDENTIALS
from local.home import REPOSITORY, Home


def home_path() -> Path:
    """Where the local hub keeps its state."""
    return Path(os.environ.get("INTERLINE_HOME") or REPOSITORY / ".interline")


@dataclass(frozen=True, slots=True)
class Target:
    """A hub: its address, the key for it, and the S3 endpoint for its files (None: as boto3 is set up)."""

    url: str
    key: str | None
    aws_url: str | None

    def client(self) -> HubClient:
        """An HTTP client for this hub. Raises NotAuthenticated when there is no key."""
        if self.key is None:
            raise NotAuthenticated(
                f"There is no key for {self.url}: set HUB_KEY, or start a local hub with `./hub up`.", code="no_key"
            )
        return HubClient(self.url, self.key)

    def s3_options(self) -> dict[str, str]:
        """What boto3 needs to reach this hub's buckets; nothing for a deployed hub."""
        return {} if self.aws_url is None else s3_options(self.aws_url)


def s3_options(aws_url: str) -> dict[str, str]:
    """What boto3 needs to reach a stand-in."""
    return {
        "endpoint_url": aws_url,
        "region_name": CREDENTIALS["AWS_DEFAULT_REGION"],
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }


def chosen() -> Target:
    """The hub that this command is for.

    Raises NotFound when none was named and none was ever started here, NotUsable for what is no address.
    """
    home = Home(home_path().resolve())
    state = home.state()
    url = os.environ.get("HUB_URL") or state.get("url")
    if not url:
        raise NotFound(
            f"There is no hub: set HUB_URL, or start one with `./hub up` (none was started in {home.root}).",
            code="no_hub",
        )
    if not _is_address(url):
        raise NotUsable(f"HUB_URL is {url}, which is no address of a hub, such as http://127.0.0.1:8000.")
    here = url.rstrip("/") == str(state.get("url", "")).rstrip("/")
    key = os.environ.get("HUB_KEY", "").strip() or (_first_line(home.admin_key) if here else None)
    if key is not None and not (key.isascii() and key.isprintable()):
        raise NotUsable("HUB_KEY is no key of a hub: a key is one line that begins with ilk_.")
    return Target(url, key, state.get("aws_url") if here else None)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # half of an IPv6 address, a port that is no number
        return False


def _first_line(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None
