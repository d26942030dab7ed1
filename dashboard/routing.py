"""Which requests Streamlit has nothing to do with: what answers them is loaded once one comes."""

from __future__ import annotations

import anyio.to_thread
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send


class Api:
    """Middleware that answers what is asked under /api/, by the routes of `dashboard.api`.

    Sessions, compression and the check of paths that Streamlit would put around the routes take
    more time than a short answer; the routes compress by themselves and take no path from an
    address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._routes: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request pass."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not path.startswith("/api/"):
            await self.app(scope, receive, send)
            return
        if self._routes is None:
            self._routes = await anyio.to_thread.run_sync(load)
        await self._routes(scope, receive, send)


def load() -> ASGIApp:
    """The routes; the server answers long before they are there."""
    from dashboard.api import routes

    return ExceptionMiddleware(Router(routes))
