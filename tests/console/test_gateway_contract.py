"""The gateway's OpenAPI, searched for requests that break it: whatever is sent, the answer is never a 500."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from controller.edge.gateway import application
from controller.edge.gateway import intents as intents_module

EXAMPLES = 12  # of each route (design)
ENDLESS = "/api/v1/stream"


def searched(operation, failures, statuses):
    """Send what the description allows, and keep what made the gateway fail."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case):
        response = case.call(headers={"Host": "127.0.0.1"})
        statuses.add(response.status_code)
        if response.status_code >= 500:
            failures.append((case.as_curl_command(), response.text[:300]))

    send()


def test_no_request_makes_the_gateway_fail(bench, monkeypatch):
    monkeypatch.setattr(intents_module, "ANSWER_WITHIN_S", 0.05)
    schema = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json", application(bench), headers={"Host": "127.0.0.1"}
    ).exclude(path=ENDLESS)
    failures, paths, statuses = [], set(), set()
    for found in schema.get_all_operations():
        operation = found.ok()
        paths.add(operation.path)
        searched(operation, failures, statuses)
    assert len(paths) >= 18
    assert {200, 409, 422} <= statuses  # it was let in, and the loop was asked
    assert failures == []
