"""Where settings come from, what is refused, and that nothing shows a password."""

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest

from shopfloor.config import Binding, Loaded, Secret, load, masked
from shopfloor.errors import ConfigError

PASSWORD = "correct horse"


class Folder:
    """A file system that is a dictionary of paths and texts; a folder exists when something is in it."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {Path(path): text for path, text in texts.items()}

    def read(self, path: Path) -> str | None:
        return self._texts.get(path)

    def names(self, folder: Path) -> list[str]:
        return sorted(path.name for path in self._texts if path.parent == folder)

    def exists(self, path: Path) -> bool:
        return any(path in (there, *there.parents) for there in self._texts)

    def absolute(self, path: Path) -> Path:
        text = str(path)
        return Path("/home/ada" + text[1:]) if text.startswith("~") else Path("/work") / path


def loaded(
    texts: Mapping[str, str] | None = None, flag: Mapping[str, object] | None = None, **variables: str
) -> Loaded:
    return load(flag or {}, variables, Folder(texts or {}))


def refusal(texts: Mapping[str, str] | None = None, flag: Mapping[str, object] | None = None, **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(texts, flag, **variables)
    return str(caught.value)


OURS = "/home/ada/.shopfloor/shopfloor.toml"
THEIRS = "/home/ada/.shopfloor/conf.d/a.toml"
THEIRS_TOO = "/home/ada/.shopfloor/conf.d/b.toml"


# Where a value comes from.


def test_nothing_given_is_a_development_server_in_the_home_folder() -> None:
    settings = loaded().settings
    assert str(settings.storage) == "sqlite:///home/ada/.shopfloor/db/shopfloor.db"
    assert settings.config_dir == Path("/home/ada/.shopfloor")
    assert settings.backup_dir == Path("/home/ada/.shopfloor/db/backups")
    assert str(settings.command_binding) == "localhost:7419"
    assert not settings.password


def test_each_source_goes_before_those_below_it() -> None:
    texts = {OURS: '[command]\nbinding = "file:3"', THEIRS: '[faktory]\nbinding = "faktory:4"'}
    flag = {"command_binding": "flag:1"}
    by_flag = loaded(texts, flag, SHOPFLOOR_COMMAND_BINDING="variable:2")
    by_variable = loaded(texts, SHOPFLOOR_COMMAND_BINDING="variable:2")
    by_file = loaded(texts)
    by_faktory = loaded({THEIRS: texts[THEIRS]})
    found = [each.settings.command_binding.port for each in (by_flag, by_variable, by_file, by_faktory)]
    assert found == [1, 2, 3, 4]
    assert by_flag.places["command_binding"] == "--command-binding"
    assert by_variable.places["command_binding"] == "SHOPFLOOR_COMMAND_BINDING"
    assert by_file.places["command_binding"] == f"{OURS} [command] binding"
    assert by_faktory.places["command_binding"] == f"{THEIRS} [faktory] binding"


def test_our_variable_goes_before_faktorys_and_faktorys_before_a_file() -> None:
    texts = {OURS: '[server]\npassword = "from file"'}
    both = loaded(texts, SHOPFLOOR_PASSWORD="ours", FAKTORY_PASSWORD="theirs").settings
    theirs = loaded(texts, FAKTORY_PASSWORD="theirs").settings
    assert (both.password.reveal(), theirs.password.reveal()) == ("ours", "theirs")


def test_a_file_named_by_flag_is_read_in_place_of_the_one_in_the_folder() -> None:
    texts = {OURS: "[limits]\nconnections_max = 1", "/work/mine.toml": "[limits]\nconnections_max = 2"}
    assert loaded(texts, {"config_file": "mine.toml"}).settings.connections_max == 2
    assert refusal(texts, {"config_file": "gone.toml"}) == "--config-file: no file /work/gone.toml"


def test_an_empty_value_is_not_given() -> None:
    texts = {OURS: '[log]\nlevel = ""'}
    settings = loaded(texts, {"log_level": ""}, SHOPFLOOR_LOG_LEVEL="", FAKTORY_ENV="").settings
    assert (settings.log_level, settings.environment) == ("info", "development")


def test_flags_are_taken_as_text_and_as_values() -> None:
    flag = {"connections_max": 5, "fetch_seconds": "0.5", "log_arguments": True, "storage_dir": Path("db")}
    settings = loaded(flag=flag | {"log_level": None}).settings
    assert (settings.connections_max, settings.fetch_seconds, settings.log_arguments) == (5, 0.5, True)
    assert settings.storage_dir == Path("/work/db")
    assert settings.storage.path == Path("/work/db/shopfloor.db")


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_a_switch_takes_the_usual_words(word: str) -> None:
    assert loaded(SHOPFLOOR_LOG_ARGUMENTS=word).settings.log_arguments is True
    assert loaded(SHOPFLOOR_LOG_ARGUMENTS="no").settings.log_arguments is False


# A Faktory installation starts unchanged.


FAKTORY = {
    "/etc/faktory/password": "0123456789abcdef\n",
    "/etc/faktory/conf.d/cron.toml": '[[cron]]\nschedule = "* * * * *"\n[cron.job]\ntype = "Hourly"\n',
    "/etc/faktory/conf.d/more.toml": '[[cron]]\nschedule = "5 * * * *"\n[throttles]\nscrape = {worker = 6}\n',
    "/etc/faktory/conf.d/statsd.toml": '[statsd]\nlocation = "localhost:8125"\n[queues]\nbackpressure = 0\n',
    "/etc/faktory/conf.d/notes.txt": "not TOML",
    "/etc/faktory/conf.d/web.toml": '[web]\nbinding = ":0"\npassword = "pages"\n',
    "/etc/faktory/conf.d/z.toml": '[faktory]\nbinding = ":7419"\n',
    "/etc/faktory/private.key.pem": "key",
    "/etc/faktory/public.cert.pem": "certificate",
    "/var/lib/faktory/db/faktory.rdb": "",
}


def test_a_faktory_installation_starts_unchanged() -> None:
    result = loaded(FAKTORY, {"environment": "production"}, FAKTORY_LICENSE="abc", FAKTORY_URL="tcp://x:7419")
    settings = result.settings
    assert settings.config_dir == Path("/etc/faktory")
    assert settings.password.reveal() == "0123456789abcdef"
    assert settings.web_password.reveal() == "pages"
    assert settings.command_binding == Binding("", 7419)
    assert not settings.web_enabled
    assert settings.tls_enabled
    assert settings.tls_key == Path("/etc/faktory/private.key.pem")
    assert settings.storage.path == Path("/var/lib/faktory/db/shopfloor.db")


def test_the_tables_of_enterprise_are_handed_on_with_their_places() -> None:
    result = loaded(FAKTORY, FAKTORY_ENV="staging")
    places = [entry.place for entry in result.tables.cron]
    assert places == [
        "/etc/faktory/conf.d/cron.toml [[cron]] 1",
        "/etc/faktory/conf.d/more.toml [[cron]] 1",
    ]
    assert result.tables.throttles["scrape"].value == {"worker": 6}
    assert result.tables.statsd["location"].value == "localhost:8125"
    assert "/etc/faktory/conf.d/statsd.toml [queues]: has no effect, as in Faktory" in result.notices
    assert any(notice.startswith("storage_dir: /var/lib/faktory/db") for notice in result.notices)


def test_our_folders_go_before_faktorys() -> None:
    texts = FAKTORY | {"/etc/shopfloor/password": "ours", "/var/lib/shopfloor/db/any": ""}
    settings = loaded(texts, FAKTORY_ENV="production").settings
    assert settings.config_dir == Path("/etc/shopfloor")
    assert settings.storage_dir == Path("/var/lib/shopfloor/db")


def test_the_storage_folder_with_jobs_in_it_goes_before_an_empty_one_of_ours() -> None:
    texts = FAKTORY | {"/var/lib/shopfloor/db/any": "", "/var/lib/faktory/db/shopfloor.db": ""}
    assert loaded(texts, FAKTORY_ENV="production").settings.storage_dir == Path("/var/lib/faktory/db")


def test_a_throttle_of_our_file_goes_before_faktorys() -> None:
    texts = {OURS: "[throttles]\na = {worker = 1}", THEIRS: "[throttles]\na = {worker = 2}\nb = {worker = 3}"}
    throttles = loaded(texts).tables.throttles
    assert {name: given.value for name, given in throttles.items()} == {
        "a": {"worker": 1},
        "b": {"worker": 3},
    }


# Passwords.


def test_a_password_that_begins_with_a_slash_is_read_from_that_file_and_trimmed() -> None:
    texts = {"/run/secrets/password": f" {PASSWORD}\n", OURS: '[web]\npassword = "/run/secrets/password"'}
    settings = loaded(texts, FAKTORY_PASSWORD="/run/secrets/password").settings
    assert settings.password.reveal() == settings.web_password.reveal() == PASSWORD


def test_a_password_file_that_is_missing_or_empty_is_refused() -> None:
    missing = refusal(FAKTORY_PASSWORD="/run/secrets/password")
    assert missing == "FAKTORY_PASSWORD: begins with / and so names a file, but there is no such file"
    assert "empty" in refusal({"/run/secret": "\n"}, SHOPFLOOR_PASSWORD="/run/secret")


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_staging_and_production_refuse_to_start_without_a_password(environment: str) -> None:
    said = refusal(FAKTORY_ENV=environment)
    assert said.startswith(f"password: {environment} does not start without one")
    assert "/etc/shopfloor/password" in said
    assert not loaded(FAKTORY_ENV=environment, FAKTORY_SKIP_PASSWORD="1").settings.password
    assert loaded(FAKTORY_ENV=environment, FAKTORY_PASSWORD=PASSWORD).settings.password


def test_skipping_the_password_leaves_the_password_file_unread_and_a_given_one_in_force() -> None:
    skip = {"environment": "production", "skip_password": True}
    texts = {"/etc/shopfloor/password": PASSWORD}
    assert not loaded(texts, skip).settings.password
    assert loaded(texts, skip, FAKTORY_PASSWORD=PASSWORD).settings.password


def test_development_leaves_the_password_file_unread() -> None:
    assert not loaded({"/home/ada/.shopfloor/password": PASSWORD}).settings.password


def test_the_pages_have_the_same_password_unless_told_otherwise() -> None:
    assert loaded(FAKTORY_PASSWORD=PASSWORD).settings.web_password == Secret(PASSWORD)
    own = loaded(FAKTORY_PASSWORD=PASSWORD, SHOPFLOOR_WEB_PASSWORD="pages").settings
    assert own.web_password.reveal() == "pages"


def test_nothing_shows_a_password() -> None:
    url = f"postgresql://ada:{PASSWORD.replace(' ', '')}@host/db?password=more"
    settings = loaded(FAKTORY_PASSWORD=PASSWORD, SHOPFLOOR_STORAGE=url).settings
    for shown in (repr(settings), f"{settings.password}", str(settings.storage), repr(settings.storage)):
        assert "correct" not in shown
        assert "more" not in shown
    assert settings.storage.reveal() == url
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(settings)
    assert copy.deepcopy(settings) == settings
    assert (Secret("a") == Secret("b"), Secret("a") == "a", len({Secret("a"), Secret("a")})) == (
        False,
        False,
        1,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hush@host:6379/0 is away", "redis://:********@host:6379/0 is away"),
        ("postgresql://ada:hu/sh@x@host/db", "postgresql://ada:********@host/db"),
        ("postgresql://host/db?user=ada&password=hush", "postgresql://host/db?user=ada&password=********"),
        (
            "redis+sentinel://a/0?sentinel_password=hush&Auth_Token=hush",
            "redis+sentinel://a/0?sentinel_password=********&Auth_Token=********",
        ),
        ("http://host:7420/queues and ada@host", "http://host:7420/queues and ada@host"),
    ],
)
def test_passwords_in_addresses_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


# What is refused, with the place and the nearest right name.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nconnection_max = 1", "unknown setting, did you mean [limits] connections_max?"),
        ("[server]\nqueues_max = 1", "unknown setting, did you mean [limits] queues_max?"),
        ("log_level = 1", "log_level: unknown setting, did you mean [log] level?"),
        ("[limit]\nqueues_max = 1", "[limit]: unknown table, did you mean [limits]?"),
        ("[throttle]", "[throttle]: unknown table, did you mean [throttles]?"),
        ("zebra = 1", "zebra: unknown setting"),
        ("limits = 1", "limits: expected a table, as in [limits]"),
        ("throttles = 1", "throttles: expected a table, as in [throttles]"),
        ("[cron]", "cron: expected tables, each beginning with [[cron]]"),
        ('[limits]\nqueues_max = "9"', "[limits] queues_max: expected a whole number"),
        ("[limits]\nqueues_max = true", "[limits] queues_max: expected a whole number"),
        ("[limits]\nqueues_max = 1.5", "[limits] queues_max: expected a whole number"),
        ('[log]\narguments = "yes"', "[log] arguments: expected true or false"),
        ("[server]\npassword = 12345", "[server] password: expected a text in quotes"),
        ('[log]\nlevel = "inf"', "'inf' is not one of error, warn, info, debug, did you mean info?"),
        ('[server]\nenvironment = "staging"', "use --environment or SHOPFLOOR_ENVIRONMENT"),
        ("[limits]\nqueues_max = 0", "[limits] queues_max: 0 is below 1"),
        ("[lifecycle]\nfetch_seconds = nan", "[lifecycle] fetch_seconds: nan is below 0.0"),
        ("[lifecycle]\nfetch_seconds = 9", "[lifecycle] fetch_seconds: 9.0 is above 4.5"),
        ("[limits", "expected ']' at the end of a table declaration (at end of document)"),
    ],
)  # fmt: skip
def test_a_wrong_line_in_a_file_is_refused_with_its_place(text: str, said: str) -> None:
    found = refusal({OURS: text})
    assert found.startswith(OURS)
    assert said in found


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SHOPFLOOR_QUEUE_MAX": "1"}, "unknown setting, did you mean SHOPFLOOR_QUEUES_MAX?"),
        ({"SHOPFLOOR_QUEUES_MAX": "many"}, "SHOPFLOOR_QUEUES_MAX: 'many' is not a whole number"),
        ({"SHOPFLOOR_REAP_SECONDS": "5s"}, "SHOPFLOOR_REAP_SECONDS: '5s' is not a number"),
        ({"SHOPFLOOR_LOG_ARGUMENTS": "maybe"}, "SHOPFLOOR_LOG_ARGUMENTS: 'maybe' is not one of 1, true, yes"),
        ({"FAKTORY_ENV": "prod"}, "is not one of development, staging, production, did you mean production?"),
        ({"SHOPFLOOR_WEB_BINDING": "7420"}, "SHOPFLOOR_WEB_BINDING: expected host:port"),
        ({"SHOPFLOOR_WEB_BINDING": "::1:7420"}, "SHOPFLOOR_WEB_BINDING: an IPv6 address stands in brackets"),
        ({"SHOPFLOOR_WEB_BINDING": "x:65536"}, "SHOPFLOOR_WEB_BINDING: expected host:port"),
        ({"SHOPFLOOR_STORAGE": "hush"}, "SHOPFLOOR_STORAGE: expected a URL such as sqlite:///path"),
        ({"SHOPFLOOR_STORAGE": "7://:hush@h"}, "'7' names no kind of store"),
        ({"SHOPFLOOR_STORAGE": "memory://x"}, "memory://x says more than memory://"),
        ({"SHOPFLOOR_STORAGE": "sqlite://db"}, "sqlite://db needs an absolute path"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_refused_by_name(variables: dict[str, str], said: str) -> None:
    found = refusal(None, None, **variables)
    assert said in found
    assert "hush" not in found


def test_an_unknown_flag_is_refused() -> None:
    assert refusal(flag={"connection_max": 1}) == "--connection-max: unknown flag, did you mean connections_max?"
    assert refusal(flag={"password": PASSWORD}).startswith("--password: unknown flag")


@pytest.mark.parametrize(
    "name",
    [
        "SHOPFLOOR_URL",
        "SHOPFLOOR_PORT",
        "SHOPFLOOR_PORT_7419_TCP_ADDR",
        "SHOPFLOOR_SERVICE_HOST",
        "SHOPFLOOR_SERVICE_PORT_COMMANDS",
        "SHOPFLOOR_WEB_SERVICE_PORT",
        "SHOPFLOOR_WEB_PORT_7420_TCP",
    ],
)
def test_variables_of_clients_and_of_kubernetes_are_left_alone(name: str) -> None:
    assert loaded(None, None, **{name: "tcp://10.0.0.1:7419"}).settings == loaded().settings


def test_two_files_may_agree_and_may_not_contradict_each_other() -> None:
    said = '[web]\nbinding = ":7420"'
    assert loaded({THEIRS: said, THEIRS_TOO: said + "\n[log]\nlevel = 'warn'"}).settings.log_level == "warn"
    found = refusal({THEIRS: said, THEIRS_TOO: '[web]\nbinding = ":7421"'})
    assert found == f"{THEIRS_TOO} [web] binding: contradicts {THEIRS} [web] binding"
    throttles = refusal({THEIRS: "[throttles]\na = {worker = 1}", THEIRS_TOO: "[throttles]\na = {worker = 2}"})
    assert throttles == f"{THEIRS_TOO} [throttles] a: contradicts {THEIRS} [throttles] a"


def test_faktorys_name_and_ours_for_one_setting_may_not_contradict_each_other() -> None:
    found = refusal({OURS: f'[server]\npassword = "{PASSWORD}"\n[faktory]\npassword = "other"'})
    assert found == f"{OURS} [faktory] password: contradicts {OURS} [server] password"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    both = {"worker_grace_seconds": 90, "job_bytes_max": 100 << 20, "web_binding": "localhost:7419"}
    found = refusal(flag=both | {"tls_key": "key.pem"}).split("\n")
    assert found == [
        "tls_certificate: missing, and /work/key.pem is of no use without it",
        "job_bytes_max: 104857600 is above line_bytes_max, 67108864",
        "worker_grace_seconds: 90.0 is above worker_seconds, 60.0",
        "web_binding: localhost:7419 is the command port too",
    ]


def test_a_certificate_without_its_key_is_refused() -> None:
    found = refusal({"/home/ada/.shopfloor/public.cert.pem": ""})
    assert found.startswith("tls_key: missing, and /home/ada/.shopfloor/public.cert.pem")
