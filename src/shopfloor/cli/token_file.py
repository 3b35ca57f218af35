"""Opening the file of the JSON API's tokens."""

from shopfloor.config import Settings
from shopfloor.errors import ConfigError
from shopfloor.web.api.scopes import Tokens, read_tokens


def open_tokens(settings: Settings) -> Tokens:
    """Read the tokens; none where no file is named. Raise ConfigError where it cannot be read."""
    if settings.web_tokens is None:
        return Tokens()
    try:
        text = settings.web_tokens.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[web] tokens: cannot read {settings.web_tokens}: {error}") from None
    return read_tokens(text, str(settings.web_tokens))
