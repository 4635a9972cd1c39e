import json
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog.testing
from starlette.testclient import TestClient

from features.contracts.as_of import AsOf
from features.contracts.eligibility import Condition
from features.contracts.errors import FeatureVectorError, SourceError
from features.contracts.goals import GoalName
from features.contracts.settings import ServingSettings
from features.contracts.vectors import FeatureVectors
from serving.api import MAX_BODY_BYTES, Readiness, ServingContext, build_app
from serving.score_log import ScoreLog, read_scores
from serving.scorer import Scorer
from tests.fakes import (
    AS_OF,
    FakeFeatureReader,
    make_card,
    make_model,
    make_vectors,
    random_features,
    trained_predictor,
)
from tests.repository import run_python

CHURN, PROPENSITY, CLV = GoalName.CHURN, GoalName.PURCHASE_PROPENSITY, GoalName.CLV
FEATURES = {"ann": (0.25, 3.0, 40.0), "bob": (0.5, 9.0, 0.5)}


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ServingContext]:
    card = make_card(CHURN, conditions=[Condition(feature="spend_90d", minimum=1)])
    log = ScoreLog(tmp_path / "log")
    yield ServingContext(
        scorer=Scorer({CHURN: make_model(card=card), CLV: make_model(CLV, version="8")}),
        reader=FakeFeatureReader(FEATURES, stale=frozenset({"old"})),
        clock=lambda: AS_OF,
        score_log=log,
        settings=ServingSettings(max_customers=1_000),
        goals=(CHURN, CLV),
    )
    log.close()


def client_of(context: ServingContext) -> TestClient:
    return TestClient(build_app(context), raise_server_exceptions=False)


@pytest.fixture
def client(context: ServingContext) -> TestClient:
    return client_of(context)


def ask(client: TestClient, customer_ids: Sequence[object], **more: object) -> Any:
    return client.post("/v1/score", json={"customer_ids": customer_ids, **more})


def test_score_answers_every_goal_with_numbers_and_their_origin(client: TestClient) -> None:
    response = ask(client, ["ann"])

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["request_id"] == response.headers["x-request-id"]
    assert answer["as_of"] == "2017-12-04T00:00:00Z"
    assert answer["results"] == [
        {
            "customer_id": "ann",
            "features_as_of": "2017-12-04T00:00:00Z",
            "scores": {
                "churn": {
                    "status": "scored",
                    "probability": 0.25,
                    "percentile": 25.0,
                    "band": "low",
                    "horizon_days": 28,
                    "model_version": "3",
                },
                "clv": {
                    "status": "scored",
                    "probability": 0.25,
                    "expected_value": 0.75,
                    "lower": 0.5,
                    "upper": 1.0,
                    "percentile": 75.0,
                    "band": "medium",
                    "horizon_days": 28,
                    "model_version": "8",
                },
            },
        }
    ]


def test_only_the_goals_asked_for_are_answered_and_read(
    context: ServingContext, client: TestClient
) -> None:
    scores = ask(client, ["ann"], goals=["clv", "clv"]).json()["results"][0]["scores"]

    assert list(scores) == ["clv"]
    assert isinstance(context.reader, FakeFeatureReader)
    assert context.reader.asked == [(("ann",), ("clv_v1",))]


def test_refused_customers_carry_a_code_and_words_instead_of_numbers(client: TestClient) -> None:
    results = ask(client, ["bob", "old", "eve"], goals=["churn"]).json()["results"]

    assert [result["customer_id"] for result in results] == ["bob", "old", "eve"]
    assert [result["scores"]["churn"] for result in results] == [
        {
            "status": "not_eligible",
            "detail": "spend_90d must be at least 1",
            "horizon_days": 28,
            "model_version": "3",
        },
        {
            "status": "features_stale",
            "detail": "the newest features are as of 2017-12-04T00:00:00Z",
            "horizon_days": 28,
            "model_version": "3",
        },
        {
            "status": "unknown_customer",
            "detail": "no features are stored for this customer",
            "horizon_days": 28,
            "model_version": "3",
        },
    ]
    assert results[2]["features_as_of"] is None


def test_absent_numbers_are_left_out_never_null_or_nan(client: TestClient) -> None:
    text = ask(client, ["ann", "bob", "eve"]).text

    assert "NaN" not in text
    assert "expected_value" not in json.loads(text)["results"][0]["scores"]["churn"]
    numbers = re.findall(r'"(?:probability|percentile|expected_value|lower|upper)":(\w+)', text)
    assert numbers
    assert "null" not in numbers


def test_goal_without_a_model_is_answered_so(context: ServingContext) -> None:
    client = client_of(replace(context, goals=(CHURN, PROPENSITY)))

    scores = ask(client, ["ann"]).json()["results"][0]["scores"]

    assert scores["churn"]["status"] == "scored"
    assert scores["purchase_propensity"] == {
        "status": "model_unavailable",
        "detail": "no model serves the goal purchase_propensity",
    }


def test_no_model_at_all_is_unavailable(context: ServingContext) -> None:
    client = client_of(replace(context, goals=(CHURN, PROPENSITY)))

    response = ask(client, ["ann"], goals=["purchase_propensity"])

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "model_unavailable"
    assert "purchase_propensity" in response.json()["error"]["message"]


def test_duplicate_ids_are_scored_once_and_answered_each_time(
    tmp_path: Path, context: ServingContext, client: TestClient
) -> None:
    results = ask(client, ["ann", "eve", "ann"], goals=["churn"]).json()["results"]

    context.score_log.close()
    assert [result["customer_id"] for result in results] == ["ann", "eve", "ann"]
    assert results[0] == results[2]
    assert read_scores(tmp_path / "log")["customer_id"].to_pylist() == ["ann", "eve"]


@pytest.mark.parametrize("goal", [CHURN, CLV])
def test_answers_are_equal_to_a_batch_run_to_the_last_bit(
    goal: GoalName, context: ServingContext
) -> None:
    features = random_features(1_000, seed=9)
    ids = [f"c{row}" for row in range(1_000)]
    reader = FakeFeatureReader(dict(zip(ids, features.tolist(), strict=True)))
    scorer = Scorer({goal: make_model(goal, trained_predictor(goal))})
    batch = scorer.score(make_vectors(features), as_of=AS_OF).goals[goal]
    client = client_of(replace(context, scorer=scorer, reader=reader, goals=(goal,)))

    answered = [
        result["scores"][goal.value]
        for some in (ids[:1], ids[1:8], ids[8:])
        for result in ask(client, some).json()["results"]
    ]

    for name in ("probability", "percentile", *(["lower", "upper"] if goal is CLV else [])):
        told = np.array([answer[name] for answer in answered])
        assert told.tobytes() == getattr(batch, name).tobytes(), name


def test_every_score_is_logged_with_its_features(
    tmp_path: Path, context: ServingContext, client: TestClient
) -> None:
    client.post("/v1/score", json={"customer_ids": ["ann"]}, headers={"X-Request-ID": "r-1"})
    context.score_log.close()

    table = read_scores(tmp_path / "log")

    assert table["goal"].to_pylist() == ["churn", "clv"]
    assert table["request_id"].to_pylist() == ["r-1", "r-1"]
    assert table["channel"].to_pylist() == ["api", "api"]
    assert table["feature.spend_90d"].to_pylist() == [40.0, 40.0]


def test_log_that_is_closed_does_not_harm_the_answer(
    context: ServingContext, client: TestClient
) -> None:
    context.score_log.close()

    assert ask(client, ["ann"]).status_code == 200


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(b"", "JSON", id="empty"),
        pytest.param(b"{", "JSON", id="cut off"),
        pytest.param(b'{"customer_ids": ["a"]} and more', "JSON", id="more behind"),
        pytest.param(b'{"customer_ids": [NaN]}', "JSON", id="NaN"),
        pytest.param(b'{"customer_ids": [1e999]}', "JSON", id="1e999"),
        pytest.param(b'{"customer_ids": ["\\ud800"]}', "JSON", id="half a character"),
        pytest.param(b'{"customer_ids": ["\xff"]}', "JSON", id="not UTF-8"),
        pytest.param(
            b'{"customer_ids": ["a"], "customer_ids": ["b"]}', "key is given twice", id="twice"
        ),
        pytest.param(
            b'{"customer_ids": ' + b"[" * 1_015 + b"]" * 1_015 + b', "customer_ids": ["b"]}',
            "JSON",
            id="deep and twice",
        ),
        pytest.param(b"[" * 100_000, "JSON", id="bomb"),
        pytest.param(b'["a"]', "body", id="no object"),
        pytest.param(b"null", "body", id="null"),
        pytest.param(b"{}", "customer_ids", id="nothing asked"),
        pytest.param(b'{"customer_ids": []}', "customer_ids", id="nobody"),
        pytest.param(b'{"customer_ids": "ann"}', "customer_ids", id="no list"),
        pytest.param(b'{"customer_ids": [7]}', "customer_ids.0", id="number"),
        pytest.param(b'{"customer_ids": ["a", ""]}', "customer_ids.1", id="empty id"),
        pytest.param(b'{"customer_ids": ["a"], "goal": "churn"}', "goal: Extra", id="extra"),
        pytest.param(b'{"customer_ids": ["a"], "goals": []}', "goals", id="no goals"),
        pytest.param(b'{"customer_ids": ["a"], "goals": [null]}', "goals.0", id="null goal"),
    ],
)
def test_wrong_bodies_are_refused_with_the_field_named(
    body: bytes, named: str, client: TestClient
) -> None:
    response = client.post("/v1/score", content=body)

    assert response.status_code == 400
    error = response.json()["error"]
    assert set(response.json()) == {"error"}
    assert error["code"] == "invalid_request"
    assert named in error["message"]


def test_unknown_goal_is_refused_with_the_known_ones(client: TestClient) -> None:
    response = ask(client, ["ann"], goals=["churn", "uplift"])

    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "goals: 'uplift' is not served; known are churn, clv"
    )


def test_ids_of_256_characters_fit_and_longer_ones_do_not(client: TestClient) -> None:
    assert ask(client, ["x" * 256]).status_code == 200

    response = ask(client, ["x" * 257])

    assert response.status_code == 400
    assert "customer_ids.0" in response.json()["error"]["message"]
    assert len(response.content) < 1_000


def test_number_of_customers_is_limited_by_the_settings(context: ServingContext) -> None:
    client = client_of(replace(context, settings=ServingSettings(max_customers=2)))
    assert ask(client, ["a", "b"]).status_code == 200

    response = ask(client, ["a", "b", "c"])

    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "customer_ids: 3 customers, at most 2 in one request"
    )


def test_body_above_the_limit_is_refused(client: TestClient) -> None:
    def body() -> Iterator[bytes]:  # in pieces, so that its length is not announced
        for _ in range(3 * MAX_BODY_BYTES // 100_000):
            yield b" " * 100_000

    fits = b'{"customer_ids": ["ann"]}'.ljust(MAX_BODY_BYTES)

    assert client.post("/v1/score", content=fits).status_code == 200
    response = client.post("/v1/score", content=body())
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"


def test_unknown_path_and_wrong_method_speak_the_same_schema(client: TestClient) -> None:
    for path in ("/", "/v1", "/v1/score/", "/v2/score", "/docs"):
        response = client.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    response = client.get("/v1/score")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_features_that_are_not_there_are_unavailable(context: ServingContext) -> None:
    client = client_of(replace(context, reader=FakeFeatureReader(FEATURES, down=True)))

    response = ask(client, ["ann"])

    assert response.status_code == 503
    assert response.json() == {
        "error": {
            "code": "features_unavailable",
            "message": "the online store does not answer; start it",
        }
    }


class FailingReader:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def online(
        self, customer_ids: Sequence[str], *, as_of: AsOf, services: Sequence[str]
    ) -> FeatureVectors:
        raise self.error


def test_features_that_do_not_fit_the_model_are_unavailable(context: ServingContext) -> None:
    client = client_of(replace(context, reader=FailingReader(FeatureVectorError("no spend_90d"))))

    assert ask(client, ["ann"]).status_code == 503


@pytest.mark.parametrize("error", [RuntimeError("the password is 1234"), SourceError("a path")])
def test_unexpected_errors_give_an_id_and_no_internals(
    error: Exception, context: ServingContext
) -> None:
    client = client_of(replace(context, reader=FailingReader(error)))

    with structlog.testing.capture_logs() as said:
        response = ask(client, ["ann"])

    request_id = response.headers["x-request-id"]
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert request_id in response.json()["error"]["message"]
    assert str(error) not in response.text
    assert said[0]["request_id"] == request_id
    assert said[0]["exc_info"]


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "x" * 128])
def test_good_request_ids_are_kept(given: str, client: TestClient) -> None:
    response = client.get("/health/live", headers={"X-Request-ID": given})

    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", 'a"b', "a\tb", "ä"])
def test_other_request_ids_are_replaced(given: str, client: TestClient) -> None:
    headers = {"X-Request-ID": given.encode("latin-1")}
    response = client.get("/nowhere", headers=headers)

    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_models_say_where_they_come_from(client: TestClient) -> None:
    churn, clv = client.get("/v1/models").json()["models"]

    assert churn == {
        "goal": "churn",
        "version": "3",
        "alias": "champion",
        "horizon_days": 28,
        "trained_at": "2017-12-05T06:00:00+00:00",
        "label_end": "2017-12-04T00:00:00Z",
        "data_hash": "ab" * 32,
        "feature_service": "churn_v1",
        "metrics": {"model": {"average_precision": 0.5}},
        "warnings": [],
    }
    assert (clv["goal"], clv["version"]) == ("clv", "8")


def test_readiness_tells_why_not_while_liveness_stays(context: ServingContext) -> None:
    readiness = Readiness("starting")
    client = client_of(replace(context, readiness=readiness))

    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {"error": {"code": "not_ready", "message": "starting"}}
    readiness.reason = None
    assert client.get("/health/ready").json() == {"status": "ready"}
    readiness.reason = "draining"
    assert client.get("/health/ready").status_code == 503
    assert ask(client, ["ann"]).status_code == 200
    assert client.get("/health/live").json() == {"status": "alive"}


def test_service_without_any_model_says_why(context: ServingContext) -> None:
    client = client_of(replace(context, scorer=Scorer({}), readiness=Readiness("starting")))

    response = ask(client, ["ann"])

    assert response.status_code == 503
    assert response.json()["error"]["message"] == "there is no model for churn, clv; starting"


def test_slow_features_do_not_keep_others_waiting(context: ServingContext) -> None:
    entered, release = threading.Event(), threading.Event()

    class SlowReader(FakeFeatureReader):
        def online(
            self, customer_ids: Sequence[str], *, as_of: AsOf, services: Sequence[str]
        ) -> FeatureVectors:
            entered.set()
            release.wait(10)
            return super().online(customer_ids, as_of=as_of, services=services)

    answers: list[int] = []
    with client_of(replace(context, reader=SlowReader(FEATURES))) as client:
        slow = threading.Thread(target=lambda: answers.append(ask(client, ["ann"]).status_code))
        slow.start()
        assert entered.wait(10)
        started = time.monotonic()
        assert client.get("/health/live").status_code == 200
        assert time.monotonic() - started < 5
        assert answers == []
        release.set()
        slow.join(10)

    assert answers == [200]


def test_customers_do_not_appear_in_the_log(
    context: ServingContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(replace(context, reader=FakeFeatureReader(FEATURES, down=True)))

    with structlog.testing.capture_logs() as said:
        ask(client, ["secret-customer"])

    assert "secret-customer" not in str(said) + caplog.text


def test_importing_the_api_loads_no_framework(tmp_path: Path) -> None:
    code = "import sys, serving.api; print(sorted({*sys.modules} & set(sys.argv[1:])))"
    heavy = ("bentoml", "evidently", "fastapi", "feast", "mlflow", "pandas")

    result = run_python(code, *heavy, cwd=tmp_path)

    assert (result.stdout.strip(), result.returncode) == ("[]", 0), result.stderr
