"""What is costly to make and safe to share: real orders, and models fitted on them."""

import pytest

from features.contracts.goals import GoalName
from tests.training.samples import CDNOW_AS_OF, Shop, cdnow_problem
from training.fit import Candidate, fit_candidate


@pytest.fixture(scope="session")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="session")
def churn_candidate(shop: Shop) -> Candidate:
    return fit_candidate(cdnow_problem(GoalName.CHURN, shop), CDNOW_AS_OF)


@pytest.fixture(scope="session")
def clv_candidate(shop: Shop) -> Candidate:
    return fit_candidate(cdnow_problem(GoalName.CLV, shop), CDNOW_AS_OF)
