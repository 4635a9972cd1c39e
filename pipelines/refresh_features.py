"""Refresh features between builds: read the data again, renew whoever has new or late rows.

A refresh writes no snapshots and trains nothing. It may be repeated, and killed at any moment:
whoever has not been renewed by then waits, and is served by the next push, refresh or replay.
"""

from dataclasses import dataclass, replace

from features.contracts.as_of import AsOf
from features.contracts.errors import FeatureStoreError
from pipelines.push_features import Served
from pipelines.wiring import Announce, Project, silent


@dataclass(frozen=True)
class Refreshed:
    """What came of a refresh.

    Attributes:
        since: rows that happened or were learnt since then are new or may have been late.
        served: whose features were renewed.
    """

    since: AsOf
    served: Served


def refresh_features(
    project: Project, *, lookback_days: int | None = None, announce: Announce = silent
) -> Refreshed:
    """Renew the online features of customers with rows that the last build or refresh missed.

    Args:
        project: the project.
        lookback_days: how late rows may be; the project's setting, or else what was measured at
            the build, when None.
        announce: told what comes next.

    Raises:
        SourceError: if the data cannot be read.
        FeatureStoreError: if there was no build, the project's tables have changed since, or the
            online store cannot be written.
    """
    from features.customer_history import CustomerHistory, touched_since, write_history
    from features.push_log import PushLog

    log = PushLog(project.layout.pushed)
    history = CustomerHistory(project.layout.history, log)
    facts = history.facts()
    history.close()
    pushed_until, now = log.last(), project.now
    announce("reading the data")
    data = project.load_data()
    try:
        if data.mapped != facts.mapped:
            raise FeatureStoreError(
                "the tables of the project have changed since the build; "
                "run `bellwether features build`"
            )
        days = _first_given(
            lookback_days, project.settings.features.lookback_days, facts.lookback_days
        )
        since = AsOf.parse(facts.read_as_of).plus_days(-days)
        customers = touched_since(data.connection.con, facts.mapped, since)
        announce("keeping the history of customers")
        newer = replace(facts, pushed_until=pushed_until, read_as_of=str(now))
        # Whoever is to be renewed is written down first: a crash must not lose them.
        log.let_wait(customers)
        write_history(data.connection.con, newer, project.layout.history)
    finally:
        data.close()
    announce(f"renewing {len(customers):,} customers")
    pusher = project.pusher()
    try:
        return Refreshed(since, pusher.replay())
    finally:
        pusher.close()


def _first_given(*days: int | None) -> int:
    return next(given for given in days if given is not None)
