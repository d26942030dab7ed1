"""Sessions with a dashboard over its websocket, as browsers have them but without drawing."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

PATIENCE = 60.0  # seconds that a run of a page may take


class Session:
    """One browser's connection: what its page shows, and what was put into its widgets."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.elements: dict[tuple[int, ...], Any] = {}  # by place
        self.values: dict[str, WidgetState] = {}  # by the widget's id
        self.query = ""
        self.errors: list[str] = []  # exceptions that a page has shown
        self.received = 0  # bytes

    @classmethod
    async def open(cls, address: str) -> Session:
        """Connect; the page runs with the first `run`."""
        url = f"ws{address.removeprefix('http')}/_stcore/stream"
        return cls(
            await connect(url, subprotocols=["streamlit"], max_size=None, ping_interval=None)
        )

    async def run(self, page: str = "", press: str = "", **values: Any) -> None:
        """Have the page run with these values of widgets and a button pressed, said by their keys.

        A value is put into the widget whose key ends like it, dots written as two underscores.
        """
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_name = self.query, page
        for name, value in values.items():
            id = self.widget(name.replace("__", "."))
            field = {bool: "bool_value", str: "string_value"}.get(type(value), "double_value")
            self.values[id] = WidgetState(id=id, **{field: value})
        state.widget_states.widgets.extend(self.values.values())
        if press:
            state.widget_states.widgets.append(
                WidgetState(id=self.widget(press), trigger_value=True)
            )
        await self.socket.send(message.SerializeToString())
        async with asyncio.timeout(PATIENCE):
            while not self._take(await self.socket.recv()):
                pass

    def _take(self, data: bytes) -> bool:
        """Take up a message; whether the page has come to its end."""
        self.received += len(data)
        message = ForwardMsg.FromString(data)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.elements.clear()
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "delta" and message.delta.WhichOneof("type") in ("new_element", "add_block"):
            element = getattr(message.delta, message.delta.WhichOneof("type"))
            self.elements[tuple(message.metadata.delta_path)] = element
            if element.WhichOneof("type") == "exception":
                self.errors.append(element.exception.message)
        return (
            kind == "script_finished"
            and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
        )

    def widget(self, key: str) -> str:
        """The id of the widget whose key ends so. Raises: LookupError where the page has none."""
        return self._made(key).id

    def shown(self, key: str) -> Any:
        """What the server has put into a widget; None where it has left it to the browser."""
        made = self._made(key)
        return made.value if made.set_value else None

    def _made(self, key: str) -> Any:
        for element in self.elements.values():
            made = getattr(element, element.WhichOneof("type") or "", None)
            id = getattr(made, "id", "")
            if isinstance(id, str) and re.search(rf"[-.]{re.escape(key)}$", id):
                return made
        raise LookupError(f"the page has no widget called {key}")

    @property
    def address(self) -> dict[str, str]:
        """What the page has put into its address."""
        return {name: values[0] for name, values in parse_qs(self.query).items()}

    def kill(self) -> None:
        """Go without a word, as a browser does that is killed."""
        self.socket.transport.abort()

    async def close(self) -> None:
        """Close the tab."""
        await self.socket.close()
