"""The door to Spark: one session, set up so that features come out as they do in DuckDB.

Times are UTC and have microseconds, arithmetic is ANSI (a number that does not fit is an error,
not a null), and nothing is left behind: no views, no temporary files, no warehouse folder.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ibis

from features.contracts.errors import ConfigurationError
from features.contracts.settings import SparkSettings

LOOPBACK = "127.0.0.1"

EXACT = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
}
"""What the values of features depend on: not for settings to change."""

JAVA_OPTIONS = "spark.driver.extraJavaOptions"

QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}

LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n
"""


@contextmanager
def open_spark(settings: SparkSettings) -> Iterator[Any]:
    """Yield an Ibis connection to Spark, and let go of the session afterwards.

    A session that runs already, as in a notebook of a cluster, is used and left running; then its
    master and resources are its own, and the settings' are not asked for.

    Raises:
        ConfigurationError: if PySpark or Java is missing, or the master cannot be reached, or the
            settings would change what features are.
    """
    fixed = sorted(EXACT.keys() & settings.conf.keys())
    if fixed:
        raise ConfigurationError(
            f"features.spark.conf cannot set {fixed[0]}: it decides what features are; leave it out"
        )
    with ExitStack() as stack:
        session = _running_session()
        if session is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bellwether-")))
            session = _start(settings, _properties(settings, folder))
            stack.callback(session.stop)
        else:
            stack.enter_context(_set_for_a_while(session, EXACT))
        connection = ibis.pyspark.connect(session)
        stack.callback(_drop_views, session, frozenset(_views(session)))
        yield connection


def _running_session() -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigurationError(
            "the engine spark needs PySpark; install bellwether with its extra `spark`"
        ) from error
    return SparkSession.getActiveSession()


def _properties(settings: SparkSettings, folder: Path) -> dict[str, str]:
    """Return the properties of a new session that keeps what is temporary in `folder`."""
    logging = folder / "log4j2.properties"
    logging.write_text(LOGGING, encoding="utf-8")
    local = {
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.local.dir": str(folder),
        "spark.sql.shuffle.partitions": "8",
    }
    return {
        **QUIET,
        **(local if settings.master.startswith("local") else {}),
        "spark.app.name": "bellwether",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        **settings.conf,
        **EXACT,
        JAVA_OPTIONS: " ".join(
            [f"-Dlog4j2.configurationFile={logging.as_uri()}", settings.conf.get(JAVA_OPTIONS, "")]
        ),
    }


def _start(settings: SparkSettings, properties: Mapping[str, str]) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(settings.master)
    for name, value in properties.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    # PySpark's own errors, those of its bridge to Java, and Java's have no class in common.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigurationError(
            f"Spark does not start at {settings.master}: {reason}; it needs Java 17 or later "
            "(JAVA_HOME), and features.spark.master must name a master that can be reached"
        ) from error


@contextmanager
def _set_for_a_while(session: Any, properties: Mapping[str, str]) -> Iterator[None]:
    before = {name: session.conf.get(name) for name in properties}
    for name, value in properties.items():
        session.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            session.conf.set(name, value)


def _views(session: Any) -> Iterator[str]:
    for table in session.catalog.listTables():
        if table.isTemporary:
            yield str(table.name)


def _drop_views(session: Any, kept: frozenset[str]) -> None:
    for name in set(_views(session)) - kept:
        session.catalog.dropTempView(name)
