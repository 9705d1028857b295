"""What the connectors share over HTTP, without a server."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.connectors import http
from chalicelib.connectors.contract import Outcome

ONCE = http.Effect(repeatable=False, settle_s=60)
TWICE = http.Effect(repeatable=True, settle_s=60)
TOKEN_URL = "http://127.0.0.1/token"
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


def outcome_of(answer, effect):
    """How a request ends that is met by this answer, or by this exception."""

    def serve(request):
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "t"})
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(serve)) as client, pytest.raises(http.Undelivered) as failure:
        http.request(
            client,
            credentials(client),
            "POST",
            "http://127.0.0.1/orders",
            effect=effect,
            deadline=http.Deadline.after(5),
            body={},
        )
    return failure.value


def credentials(client, clock=lambda: 0.0):
    return http.ClientCredentials(client, token_url=TOKEN_URL, client_id="i", client_secret="s", scope="x", clock=clock)


class TestAnEffectThatMustNotHappenTwice:
    @pytest.mark.parametrize(
        "lost", [httpx.ReadTimeout(""), httpx.WriteError(""), httpx.RemoteProtocolError(""), httpx.ReadError("")]
    )
    def test_is_uncertain_when_the_answer_is_lost(self, lost):
        failure = outcome_of(lost, ONCE)
        assert (failure.outcome, failure.retry_after_s) == (Outcome.UNCERTAIN, 60)

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_is_uncertain_when_a_server_broke_over_it(self, status):
        assert outcome_of(httpx.Response(status), ONCE).outcome is Outcome.UNCERTAIN

    @pytest.mark.parametrize("unsent", [httpx.ConnectError(""), httpx.ConnectTimeout(""), httpx.PoolTimeout("")])
    def test_may_be_retried_when_it_was_never_sent(self, unsent):
        failure = outcome_of(unsent, ONCE)
        assert (failure.outcome, failure.retry_after_s) == (Outcome.RETRY, None)

    @pytest.mark.parametrize("status", [408, 409, 425, 429, 503])
    def test_may_be_retried_when_it_was_turned_away(self, status):
        assert outcome_of(httpx.Response(status), ONCE).outcome is Outcome.RETRY


class TestAnswers:
    @pytest.mark.parametrize("status", [400, 405, 410, 413, 415, 422])
    def test_that_refuse_the_content_reject_it(self, status):
        assert outcome_of(httpx.Response(status), TWICE).outcome is Outcome.REJECTED

    @pytest.mark.parametrize("status", [301, 302, 307, 404])
    def test_that_point_elsewhere_blame_the_target_and_are_not_followed(self, status):
        failure = outcome_of(httpx.Response(status, headers={"location": "http://127.0.0.1/away"}), TWICE)
        assert (failure.outcome, failure.code) == (Outcome.RETRY, f"http_{status}")

    @pytest.mark.parametrize("status", [502, 504])
    def test_of_an_impatient_gateway_wait_until_the_write_is_dead(self, status):
        assert outcome_of(httpx.Response(status, headers={"retry-after": "1"}), TWICE).retry_after_s == 60

    def test_that_are_pages_have_no_problem_to_tell(self):
        failure = outcome_of(httpx.Response(503, text="<html>"), TWICE)
        assert (failure.code, failure.response) == ("http_503", None)

    def test_quote_at_most_so_much(self):
        failure = outcome_of(httpx.Response(400, json={"type": "/" + "t" * 900, "detail": "d" * 9000}), TWICE)
        assert (len(failure.code), len(failure.detail)) == (60, 500)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after": "7"}, 7.0),
            ({"retry-after": " 0 "}, 0.0),
            ({"retry-after": "999999999999"}, 86_400.0),
            ({"retry-after": "Sun, 22 Nov 2026 10:01:30 GMT", "date": DATE}, 90.0),
            ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": DATE}, 0.0),
            ({"retry-after": "Sun, 22 Nov 2026 10:01:30 GMT"}, None),
            ({"retry-after": "soon", "date": DATE}, None),
            ({"retry-after": "-5", "date": DATE}, None),
            ({"retry-after": "Sun, 22 Nov 2026 10:01:30", "date": DATE}, None),
            ({"date": DATE}, None),
            ({}, None),
        ],
    )
    def test_is_seconds_or_a_date(self, headers, seconds):
        assert http.retry_after_s(httpx.Headers(headers)) == seconds

    @given(st.text(max_size=40))
    def test_is_never_a_reason_to_fail(self, text):
        asked = http.retry_after_s({"retry-after": text, "date": DATE})
        assert asked is None or 0 <= asked <= 86_400


class TestProblemCode:
    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            ("https://x.test/errors/customer-not-found", "customer_not_found"),
            ("ConcurrentModificationException", "concurrent_modification_exception"),
            ("https://x.test/errors/Bad.Thing/", "bad_thing"),
            ("about:blank", None),
            ("", None),
            (7, None),
        ],
    )
    def test_is_the_last_word_of_the_type(self, kind, code):
        assert http.problem_code({"type": kind}) == code


class TestTokens:
    @pytest.mark.parametrize(
        ("life", "good_for_s"), [(1799, 1769), (40, 20), (None, 270)], ids=["usual", "short", "unnamed"]
    )
    def test_are_renewed_before_they_expire(self, life, good_for_s):
        answers = iter(["first", "second"])
        clock = [0.0]

        def serve(_request):
            body = {"access_token": next(answers)} | ({} if life is None else {"expires_in": life})
            return httpx.Response(200, json=body)

        with httpx.Client(transport=httpx.MockTransport(serve)) as client:
            held = credentials(client, clock=lambda: clock[0])
            seen = []
            for at in (0.0, good_for_s - 0.5, good_for_s + 0.5):
                clock[0] = at
                seen.append(held.token(http.Deadline.after(5)))
        assert seen == ["first", "first", "second"]

    def test_are_fetched_once_by_many_threads(self):
        fetched = []
        together = threading.Barrier(8)

        def serve(_request):
            fetched.append(1)
            time.sleep(0.05)
            return httpx.Response(200, json={"access_token": "t", "expires_in": 600})

        with httpx.Client(transport=httpx.MockTransport(serve)) as client, ThreadPoolExecutor(8) as threads:
            held = credentials(client)

            def ask(_n):
                together.wait(timeout=10)
                return held.token(http.Deadline.after(5))

            assert set(threads.map(ask, range(8))) == {"t"}
        assert len(fetched) == 1

    def test_replaced_by_another_thread_are_not_forgotten_for_an_old_refusal(self):
        answers = iter(["old", "new"])

        def serve(_request):
            return httpx.Response(200, json={"access_token": next(answers), "expires_in": 600})

        with httpx.Client(transport=httpx.MockTransport(serve)) as client:
            held = credentials(client)
            old = held.token(http.Deadline.after(5))
            held.forget(old)
            assert held.token(http.Deadline.after(5)) == "new"
            held.forget(old)
            assert held.token(http.Deadline.after(5)) == "new"

    @pytest.mark.parametrize("answer", [{"expires_in": 5}, {"access_token": ""}, {"access_token": 5}, ["t"]])
    def test_that_are_none_are_waited_for(self, answer):
        with (
            httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer))) as client,
            pytest.raises(http.Undelivered) as failure,
        ):
            credentials(client).token(http.Deadline.after(5))
        assert (failure.value.outcome, failure.value.code) == (Outcome.RETRY, "token_unavailable")


class TestADeadline:
    def test_that_passed_sends_nothing(self):
        def serve(_request):
            pytest.fail("a request was sent")

        now = [0.0]
        deadline = http.Deadline.after(5, clock=lambda: now[0])
        now[0] = 5.0
        with (
            httpx.Client(transport=httpx.MockTransport(serve)) as client,
            pytest.raises(http.Undelivered) as failure,
        ):
            credentials(client).token(deadline)
        assert (failure.value.outcome, failure.value.code) == (Outcome.RETRY, "out_of_time")
