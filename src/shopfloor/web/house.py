"""The web side as whoever runs the server knows it: start, stop, and another password."""

from shopfloor.web.api.scopes import Tokens
from shopfloor.web.application import make_application
from shopfloor.web.listener import Binding, WebListener
from shopfloor.web.site import Site


class WebHouse:
    """A site and the port it is served on. `start` after the server has begun, `stop` before it ends."""

    def __init__(self, site: Site, binding: Binding) -> None:
        self.site = site
        self._listener = WebListener(make_application(site), binding)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    async def start(self) -> None:
        """Listen; raise `OSError` where that cannot be."""
        await self._listener.start()

    async def stop(self) -> None:
        """End what is under way and close every connection. May be called twice."""
        self.site.chores.stop()
        self.site.pulse.stop()
        await self._listener.stop()

    def reload(self, password: str, tokens: Tokens) -> None:
        """Ask visitors for another password, and programs for other tokens, from now on."""
        self.site.password = password
        self.site.tokens = tokens
