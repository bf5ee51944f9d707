"""Who may do what at a gateway that has users: over real HTTP, with real hashes."""

from __future__ import annotations

import asyncio
import stat

import httpx
import pytest

from controller.edge.gateway import access as access_module
from controller.edge.gateway import application
from controller.edge.gateway.access import Access, Refused
from controller.edge.users import UserRole, Users
from controller.support.user_error import UserError

PROGRAM = "a-token-for-the-console"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """The file of users, and their passwords by name."""
    users = Users(tmp_path_factory.mktemp("users") / "users.json")
    given = (("vera", UserRole.VIEWER), ("omar", UserRole.OPERATOR))
    return users, {name: users.add(name, role) for name, role in given}


@pytest.fixture
def access(people):
    return Access(people[0], PROGRAM)


@pytest.fixture
def ask(bench, access):
    """One request to a gateway with users, without a socket in between."""
    app = application(bench, access, ["plant.example"])

    def send(method, path, token="", **options):
        async def once():
            transport = httpx.ASGITransport(app=app)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            headers |= options.pop("headers", {})
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(once())

    return send


def token_of(ask, people, name):
    answer = ask("POST", "/session", json={"name": name, "password": people[1][name]})
    assert answer.status_code == 200
    return answer.json()["token"]


def accept(by):
    return {"kind": "accept", "by": by, "suggestion": "S-0017"}


def test_without_a_token_nothing_is_told_but_that_somebody_is_there(ask):
    assert ask("GET", "/state").status_code == 401
    assert ask("GET", "/stream").status_code == 401
    assert ask("GET", "/state", "guessed").status_code == 401
    assert ask("GET", "/health").status_code == 200


def test_the_console_may_look_with_its_token_and_not_act(ask, bench):
    assert ask("GET", "/state", PROGRAM).status_code == 200
    assert ask("POST", "/intents", PROGRAM, json=accept("omar")).status_code == 403
    assert bench.intents == []


def test_a_viewer_sees_and_asks_what_if_and_is_refused_a_write(ask, people, bench):
    token = token_of(ask, people, "vera")
    assert ask("GET", "/state", token).status_code == 200
    assert ask("POST", "/what-if", token, json={"steps": [{"inputs": {"feed": 0.05}}]}).status_code == 200
    refused = ask("POST", "/intents", token, json=accept("vera"))
    assert refused.status_code == 403
    assert "vera may look only" in refused.json()["detail"]
    assert bench.intents == []


def test_an_operator_acts_in_the_own_name_only(ask, people, bench):
    token = token_of(ask, people, "omar")
    stolen = ask("POST", "/intents", token, json=accept("vera"))
    assert stolen.status_code == 403
    assert "cannot act as 'vera'" in stolen.json()["detail"]
    assert ask("POST", "/intents", token, json=accept("omar")).status_code == 200
    assert [intent.by for intent in bench.intents] == ["omar"]


def test_signing_out_ends_the_session(ask, people):
    token = token_of(ask, people, "omar")
    assert ask("GET", "/session", token).json()["role"] == "operator"
    assert ask("DELETE", "/session", token).status_code == 204
    assert ask("GET", "/state", token).status_code == 401


def test_guessing_is_slowed_down_and_a_wrong_name_tells_no_more_than_a_wrong_password(ask):
    wrong = [ask("POST", "/session", json={"name": "omar", "password": "guess"}) for _ in range(6)]
    assert [answer.status_code for answer in wrong] == [401] * 5 + [429]
    assert wrong[-1].headers["retry-after"] == "60"
    unknown = ask("POST", "/session", json={"name": "nobody", "password": "guess"})
    assert unknown.json() == wrong[0].json()


def guesses(access, name, tries, address):
    async def all_of_them():
        told = []
        for _ in range(tries):
            with pytest.raises(Refused) as refused:
                await access.sign_in(name, "guess", address)
            told.append(refused.value.again_s)
        return told

    return asyncio.run(all_of_them())


def test_nobody_locks_a_person_out_from_another_address(access, people, monkeypatch):
    monkeypatch.setattr(access_module, "SLOWED_S", 0.01)
    waits = [guesses(access, "omar", 6, f"attacker {n}") for n in range(5)]
    assert all(wait == [0.0] * 5 + [60.0] for wait in waits)
    guesses(access, "nobody", 5, "attacker 9")
    _, person = asyncio.run(access.sign_in("omar", people[1]["omar"], "the control room"))
    assert person.name == "omar"


def test_guessing_one_name_from_many_addresses_is_slowed_down(access, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(access_module.asyncio, "sleep", sleep)
    for n in range(30):
        guesses(access, "omar", 1, f"attacker {n}")
    assert slept == [access_module.SLOWED_S] * 10


def test_names_tried_at_random_from_one_address_are_refused_there_alone(access, people):
    access._limiter.hit(access_module.TRIES_OF_ALL, "address", "attacker", cost=60)
    assert guesses(access, "omar", 1, "attacker") == [60.0]
    assert asyncio.run(access.sign_in("omar", people[1]["omar"], "here"))[1].name == "omar"


def test_the_console_says_where_its_browsers_sit_and_nobody_else_can(ask, people):
    def tries(token, count, address):
        asked = {"name": "omar", "password": "guess"}
        headers = {"X-Browser-Address": address}
        return [ask("POST", "/session", token, json=asked, headers=headers).status_code for _ in range(count)]

    assert tries(PROGRAM, 6, "10.0.0.1") == [401] * 5 + [429]
    assert tries(PROGRAM, 1, "10.0.0.2") == [401]  # through the same console
    assert [code for n in range(6) for code in tries("", 1, f"10.0.1.{n}")] == [401] * 5 + [429]


def test_a_session_ends_after_an_hour_without_action_and_after_a_shift(people):
    now = [0.0]
    access = Access(people[0], PROGRAM, session_s=100.0, idle_s=30.0, clock=lambda: now[0])
    token, _ = asyncio.run(access.sign_in("omar", people[1]["omar"], "here"))
    now[0] = 20.0
    assert access.who(token) is not None
    now[0] = 45.0
    assert access.who(token, acting=False) is not None  # heard 25 s ago; looking keeps nothing awake
    now[0] = 51.0
    assert access.who(token) is None
    token, _ = asyncio.run(access.sign_in("omar", people[1]["omar"], "here"))
    for step in range(1, 11):
        now[0] = 51.0 + 9.9 * step
        assert access.who(token) is not None
    now[0] = 152.0
    assert access.who(token) is None


def test_a_user_who_is_removed_is_out_at_once(tmp_path):
    users = Users(tmp_path / "users.json")
    password = users.add("ada", UserRole.ENGINEER)
    access = Access(Users(users.path), PROGRAM)
    token, person = asyncio.run(access.sign_in("ada", password, "here"))
    assert person.role is UserRole.ENGINEER
    users.remove("ada")
    assert access.who(token) is None
    with pytest.raises(Refused):
        asyncio.run(access.sign_in("ada", password, "here"))


def test_the_file_of_users_is_private_and_holds_no_password(people):
    users, passwords = people
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    text = users.path.read_text()
    assert "$argon2id$" in text
    assert not any(password in text for password in passwords.values())


def test_a_damaged_file_of_users_lets_nobody_in(tmp_path):
    path = tmp_path / "users.json"
    path.write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        Users(path).known()


def test_names_under_which_it_is_known_are_served_and_no_others(ask):
    assert ask("GET", "/health", headers={"Host": "plant.example:8420"}).status_code == 200
    assert ask("GET", "/health", headers={"Host": "evil.example"}).status_code == 421
