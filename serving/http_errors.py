"""How the API tells failures: one JSON schema, one table from errors to statuses.

Every failure is `{"error": {"code": ..., "message": ...}}`: the code is for programs, the message
for people. What nobody expected is logged with its traceback, and told without it.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.contracts.errors import (
    BellwetherError,
    FeatureStoreError,
    FeatureVectorError,
    ModelContractError,
    ModelUnavailableError,
)

STATUSES: dict[type[BellwetherError], tuple[int, str]] = {
    ModelUnavailableError: (503, "model_unavailable"),
    ModelContractError: (503, "model_unavailable"),
    FeatureStoreError: (503, "features_unavailable"),
    FeatureVectorError: (503, "features_unavailable"),
}
"""The one table from an error to its status and code; all other errors are a 500."""

HTTP_CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
}

MAX_MESSAGE_CHARACTERS = 500
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

log = structlog.get_logger(__name__)


class Border:
    """Names each request, and turns what nobody expected into an answer without internals.

    A request id from outside is kept when it is 1 to 128 letters, digits, dots, dashes and
    underscores; any other is replaced, so that nobody writes into our logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its id in `request.state` and in the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_named)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("request_failed", code="internal_error", request_id=request_id)
            if started:
                raise
            message = f"something failed inside; quote the request id {request_id}"
            await error_response(500, "internal_error", message)(scope, receive, send_named)


def json_response(content: object, status: int = 200) -> Response:
    """Return `content` as JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def error_response(status: int, code: str, message: str) -> Response:
    """Return a failure in the one schema, its message cut to a sane length."""
    return json_response(
        {"error": {"code": code, "message": message[:MAX_MESSAGE_CHARACTERS]}}, status
    )


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTP_CODES.get(error.status_code, "error")
    response = error_response(error.status_code, code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def _unavailable(_: Request, error: Exception) -> Response:
    for kind in type(error).__mro__:
        if kind in STATUSES:
            status, code = STATUSES[kind]
            log.warning("request_failed", code=code, cause=str(error))
            return error_response(status, code, str(error))
    raise error


ERROR_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: _refused,
    BellwetherError: _unavailable,
}
"""What Starlette does with errors that are raised on purpose."""
