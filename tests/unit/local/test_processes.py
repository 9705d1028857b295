import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chalicelib.errors import Unavailable
from local.children import Child, Command, end_all, run_once
from local.home import REPOSITORY
from local.processes import Identity, end, free_port, holder, is_free

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def command(code: str, **options: object) -> Command:
    return Command("test", [sys.executable, "-c", code], dict(os.environ), **options)  # type: ignore[arg-type]


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class TestIdentity:
    def test_a_process_is_alive_until_it_ends(self):
        with python(SLEEP) as process:
            identity = Identity.of(process.pid)
            assert identity is not None
            assert identity.alive()

            process.kill()
            process.wait()

            assert not identity.alive()

    def test_another_process_with_the_same_number_is_another(self):
        me = Identity.of(os.getpid())
        assert me is not None
        assert not Identity(me.pid, "some other time").alive()

    def test_a_zombie_has_ended(self):
        with python("") as process:
            identity = Identity.of(process.pid)
            deadline = time.monotonic() + 5
            while identity is not None and identity.alive() and time.monotonic() < deadline:
                time.sleep(0.01)  # it has ended, and nobody has waited for it

            assert Identity.of(process.pid) is None


class TestEnd:
    def test_kills_what_does_not_listen(self):
        with python(DEAF) as process:
            assert process.stdout is not None
            process.stdout.readline()
            identity = Identity.of(process.pid)
            assert identity is not None
            began = time.monotonic()

            end([identity], grace_s=0.5)

            assert process.wait(5) == -signal.SIGKILL
            assert 0.4 < time.monotonic() - began < 3

    def test_leaves_a_process_alone_that_only_shares_the_number(self):
        with python(SLEEP) as process:
            end([Identity(process.pid, "some other time")], grace_s=0.1)

            assert process.poll() is None
            process.kill()


class TestPorts:
    def test_names_who_holds_a_port(self):
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]

            assert not is_free(port)
            assert holder(port).startswith(f"process {os.getpid()} (")

    def test_takes_the_first_wish_that_is_free(self):
        wished = free_port()
        with socket.create_server(("127.0.0.1", 0)) as held:
            taken = held.getsockname()[1]

            assert free_port(None, taken, wished) == wished
            assert free_port(taken) not in {taken, 0}


class TestChild:
    def test_ends_when_its_parent_is_killed(self):
        script = (
            "import os, sys, time\n"
            "from local.children import Child, Command\n"
            f"child = Child.start(Command('c', [sys.executable, '-c', {SLEEP!r}], dict(os.environ)), print)\n"
            "print(child.identity.pid, flush=True)\n"
            "time.sleep(60)\n"
        )
        parent = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        with parent:
            assert parent.stdout is not None
            child = Identity.of(int(parent.stdout.readline()))
            assert child is not None
            time.sleep(0.5)
            assert child.alive()

            parent.kill()

        deadline = time.monotonic() + 5
        while child.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not child.alive()

    def test_hands_on_every_line_it_writes(self):
        lines: list[tuple[str, str]] = []

        child = Child.start(command("print('one'); print('two')"), lambda name, line: lines.append((name, line)))
        child.process.wait()
        end_all([child])
        child.reader.join(5)

        assert lines == [("test", "one\n"), ("test", "two\n")]

    def test_one_that_ends_at_once_says_why(self):
        child = Child.start(command("raise SystemExit('no such luck')", ready_url="http://127.0.0.1:9/"), print)

        with pytest.raises(Unavailable, match="no such luck"):
            child.wait_until_ready(10)
        end_all([child])

    def test_one_that_lost_its_port_is_not_ready_though_the_winner_answers(self):
        with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as winner:
            threading.Thread(target=winner.serve_forever, daemon=True).start()
            port = winner.server_address[1]
            child = Child.start(command(SLEEP, port=port, ready_url=f"http://127.0.0.1:{port}/"), print)

            with pytest.raises(Unavailable, match="not ready after"):
                child.wait_until_ready(1.0)
            end_all([child])
            winner.shutdown()

    def test_one_that_never_answers_is_not_ready(self):
        child = Child.start(command(SLEEP, ready_url="http://127.0.0.1:9/"), print)

        with pytest.raises(Unavailable, match="not ready after"):
            child.wait_until_ready(0.3)
        end_all([child])
        assert child.ended() is not None


class TestRunOnce:
    def test_gives_what_the_command_printed(self):
        assert run_once(command("print('done')"), 10) == "done\n"

    def test_repeats_the_last_words_of_one_that_failed(self):
        with pytest.raises(Unavailable, match="it is broken"):
            run_once(command("raise SystemExit('it is broken')"), 10)

    def test_gives_up_in_time(self):
        with pytest.raises(Unavailable, match="more than"):
            run_once(command(SLEEP), 0.2)
