"""Judge settings as a whole: every bound, and what one setting demands of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shopfloor.config.settings import Settings
from shopfloor.config.table import ENTRIES, problem
from shopfloor.errors import ConfigError


def validate(settings: Settings, places: Mapping[str, str] | None = None) -> None:
    """Raise ConfigError with all that is wrong, one line each; `places` says where each value was given."""
    found = [*_out_of_bounds(settings, places or {}), *_contradictions(settings)]
    if found:
        raise ConfigError("\n".join(found))


def _out_of_bounds(settings: Settings, places: Mapping[str, str]) -> Iterator[str]:
    for entry in ENTRIES:
        if wrong := problem(entry, getattr(settings, entry.name)):
            yield f"{places.get(entry.name, entry.name)}: {wrong}"


def _contradictions(settings: Settings) -> Iterator[str]:
    is_open = not settings.password and not settings.skip_password
    if settings.environment != "development" and is_open:
        yield (
            f"password: {settings.environment} does not start without one: set FAKTORY_PASSWORD or "
            f"SHOPFLOOR_PASSWORD, or write it to {settings.config_dir / 'password'}"
        )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        missing, present = ("tls_key", settings.tls_certificate)
        if settings.tls_certificate is None:
            missing, present = ("tls_certificate", settings.tls_key)
        yield f"{missing}: missing, and {present} is of no use without it"
    if settings.job_bytes_max > settings.line_bytes_max:
        yield f"job_bytes_max: {settings.job_bytes_max} is above line_bytes_max, {settings.line_bytes_max}"
    if settings.worker_grace_seconds > settings.worker_seconds:
        yield (
            f"worker_grace_seconds: {settings.worker_grace_seconds} is above worker_seconds, {settings.worker_seconds}"
        )
    if settings.command_binding == settings.web_binding and settings.web_binding.port:
        yield f"web_binding: {settings.web_binding} is the command port too"
