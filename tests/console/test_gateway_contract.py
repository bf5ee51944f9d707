"""The gateway's OpenAPI, searched for requests that break it: whatever is sent, the answer is never a 500."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from controller.edge.gateway import application
from controller.edge.gateway import intents as intents_module

EXAMPLES = 8  # of each route; a longer search finds nothing more (design)
HEADERS = {"Host": "127.0.0.1"}


@pytest.fixture
def contract(bench, monkeypatch):
    monkeypatch.setattr(intents_module, "ANSWER_WITHIN_S", 0.05)
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", application(bench), headers=HEADERS)


schema = schemathesis.pytest.from_fixture("contract").exclude(path="/api/v1/stream")  # it never ends


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_the_gateway_fail(case):
    case.call_and_validate(headers=HEADERS, checks=[not_a_server_error])
