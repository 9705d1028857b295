import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from cli.client import HubClient
from tests.unit.cli.answers import Answers


@pytest.fixture
def client() -> Iterator[HubClient]:
    Answers.prepared.clear()
    Answers.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with HubClient(f"http://127.0.0.1:{server.server_address[1]}/", "ilk_a_b") as found:
            yield found
        server.shutdown()
        thread.join()
