"""The worker's settings: read from the environment (`DUNNING_*`), checked as a whole, printable."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.engine import ConfigurationError, EngineSettings
from streams.messages.registry import Registry
from streams.messages.topics import ERASURE_LAG_MS
from streams.settings_problems import PREFIX, problems_of_rekey, problems_of_url, value_in_words

_FILE = "_FILE"

# Read by the local broker and by the tests, not by a worker.
_NOT_OURS = ("DUNNING_CACHE_DIRECTORY", "DUNNING_TEST_")

_MASK = "********"
_SHORTEST_TOKEN = 16


class SettingsError(Exception):
    """Settings that cannot work.

    Attributes:
        problems: all of them, one sentence each, with the variable's name.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """Everything that differs between one deployment and another. A field is `DUNNING_` and its name.

    A secret may be given by a file: `DUNNING_SASL_PASSWORD_FILE` names one whose text is the password.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_parse_none_str="none",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    bootstrap_servers: str = "127.0.0.1:9092"
    """Kafka brokers, `host:port`, several separated by commas."""
    application_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "dunning"
    """Consumer group, and prefix of changelog topics and of transactional ids."""
    instance_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "0"
    """This worker among the group's: a stable name, such as the pod's. Two running workers differ in it."""
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Goes before the name of every topic: several environments, or a demonstration, on one cluster."""
    policy: str = "care"
    """A shipped policy's name, or the path of a policy file: what decides until a policy is published."""
    earlier_policies: str = ""
    """Versions of open cases from before versions were kept with the state: names or paths, with commas."""
    ticks: Literal["worker", "external"] = "worker"
    """Who moves the clock: the workers, by the time of day, or somebody else (virtual time)."""
    tick_interval_seconds: Annotated[float, Field(ge=0.05, le=60)] = 1.0
    """How often a worker sends a tick."""
    store: Literal["rocksdb", "memory"] = "rocksdb"
    """Where tables are kept: on disk (a restart reads what it missed), or in memory (it reads all)."""
    data_directory: Path = Path("var/state")
    """Where the tables on disk lie; used with `store=rocksdb`."""
    static_membership: bool = True
    """A restart within the session timeout costs no rebalance; one that is gone for good is waited for."""
    session_timeout_seconds: Annotated[float, Field(ge=1, le=1800)] = 30.0
    """After so long without a heartbeat, the other workers take over."""
    max_records: Annotated[int, Field(ge=1, le=100_000)] = 4_000
    """Records in one transaction, at most."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a record that fails is tried alone before it goes to the dead letters."""
    gather_seconds: Annotated[float, Field(ge=0, le=1)] = 0.002
    """How long a poll that found something waits for more: latency against throughput."""
    stuck_after_seconds: Annotated[float, Field(ge=1)] = 120.0
    """No progress though there is lag, for so long: the process ends."""
    stop_seconds: Annotated[float, Field(ge=1, le=3600)] = 25.0
    """A worker told to stop that has not ended by then is ended; less than its supervisor's grace period."""
    changelog_replication: Annotated[int, Field(ge=1, le=10)] = 1
    """Replication factor of the changelog topics that a worker creates; 3 in production."""
    metrics_host: str = "127.0.0.1"
    """Address of the Prometheus endpoint; loopback unless told otherwise."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] | None = 9_464
    """Port of the Prometheus endpoint; 0 takes any free one, `none` turns it off."""
    web_token: SecretStr | None = None
    """Needed to see a customer at that endpoint; without one nobody may but this machine, on loopback."""
    bad_record_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The worker stops when more than this share of the recent records is bad."""
    bad_record_window: Annotated[int, Field(ge=10, le=100_000)] = 200
    """How many records are recent."""
    bad_record_minimum: Annotated[int, Field(ge=1, le=100_000)] = 100
    """So many records have to be seen before the share counts."""
    occurred_ahead_seconds: Annotated[float, Field(ge=0)] = 3_600.0
    """A record whose `occurred_at` is further ahead of its own timestamp is bad."""
    occurred_before_days: Annotated[float, Field(gt=0)] = 400.0
    """A record whose `occurred_at` is further before its own timestamp is bad."""
    input_format: Literal["avro", "json"] = "avro"
    """With `json`, an input may be a JSON object as well, with the fields of its message."""
    rekey: str = ""
    """Topics of another key or size, and which inputs they are: `theirs=billing.payment-failed.v1,...`."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to Kafka."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """With a `SASL_` protocol."""
    sasl_username: str | None = None
    """With a `SASL_` protocol."""
    sasl_password: SecretStr | None = None
    """With a `SASL_` protocol."""
    ssl_ca_location: Path | None = None
    """Certificate authorities, PEM; the system's if not set."""
    ssl_certificate_location: Path | None = None
    """This client's certificate, PEM, where the broker asks for one."""
    ssl_key_location: Path | None = None
    """This client's key, PEM."""
    ssl_key_password: SecretStr | None = None
    """Of the client's key."""
    schema_registry_url: str | None = None
    """A Confluent-compatible schema registry; without one the schemas of the release serve."""
    schema_registry_username: str | None = None
    """With a password, where the registry asks for one."""
    schema_registry_password: SecretStr | None = None
    """Of the user."""
    schema_registry_ca_location: Path | None = None
    """Certificate authorities of the registry, PEM; the usual ones if not set."""
    tracing: bool = False
    """Send spans of decisions by OTLP over HTTP; `OTEL_*` variables say where to, and which share."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least severe log lines that are shown."""

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        """Check what more than one setting decides."""
        problems: list[str] = []
        if self.security_protocol.startswith("SASL"):
            problems += [
                f"{PREFIX}{name.upper()} is not set, though the protocol is {self.security_protocol}"
                for name in ("sasl_mechanism", "sasl_username", "sasl_password")
                if getattr(self, name) is None
            ]
        problems += [
            f"{_variable(name)} is set, and {self.security_protocol} makes no use of it; is "
            f"{PREFIX}SECURITY_PROTOCOL right?"
            for name in type(self).model_fields
            if name.startswith(("sasl_", "ssl_")) and getattr(self, name) is not None
            if name.partition("_")[0].upper() not in self.security_protocol.split("_")
        ]
        if (self.ssl_certificate_location is None) != (self.ssl_key_location is None):
            problems.append(
                f"{PREFIX}SSL_CERTIFICATE_LOCATION and {PREFIX}SSL_KEY_LOCATION go together: set both or none"
            )
        if (self.schema_registry_username is None) != (self.schema_registry_password is None):
            problems.append(
                f"{PREFIX}SCHEMA_REGISTRY_USERNAME and {PREFIX}SCHEMA_REGISTRY_PASSWORD go together: "
                "set both or none"
            )
        problems += problems_of_rekey(self.rekey, self.topic_prefix)
        problems += problems_of_url(self.schema_registry_url)
        if self.bad_record_minimum > self.bad_record_window:
            problems.append(f"{PREFIX}BAD_RECORD_MINIMUM is more than {PREFIX}BAD_RECORD_WINDOW")
        if self.web_token is not None and len(self.web_token.get_secret_value()) < _SHORTEST_TOKEN:
            problems.append(f"{PREFIX}WEB_TOKEN is shorter than {_SHORTEST_TOKEN} characters")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def kafka_properties(self) -> dict[str, str]:
        """The security settings as librdkafka names them; what is not set is left out."""
        properties: dict[str, Any] = {
            "security.protocol": self.security_protocol.lower(),
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_username,
            "sasl.password": self.sasl_password and self.sasl_password.get_secret_value(),
            "ssl.ca.location": self.ssl_ca_location,
            "ssl.certificate.location": self.ssl_certificate_location,
            "ssl.key.location": self.ssl_key_location,
            "ssl.key.password": self.ssl_key_password and self.ssl_key_password.get_secret_value(),
        }
        return {name: str(value) for name, value in properties.items() if value is not None}

    @property
    def earlier_policy_names(self) -> tuple[str, ...]:
        """The earlier policies, one by one."""
        return tuple(name for each in self.earlier_policies.split(",") if (name := each.strip()))

    @property
    def rekeyed(self) -> dict[str, str]:
        """The name on the cluster of each topic that is re-keyed, and the input that it becomes."""
        pairs = (each.partition("=") for each in self.rekey.split(",") if each.strip())
        return {source.strip(): target.strip() for source, _, target in pairs}

    def topic(self, name: str) -> str:
        """The name that a topic of the contract has on this cluster."""
        return self.topic_prefix + name

    def registry(self) -> Registry | None:
        """The schema registry, if there is one.

        Raises:
            RegistryExtraMissingError: its client is not installed.
        """
        if self.schema_registry_url is None:
            return None
        password = self.schema_registry_password
        return Registry(
            self.schema_registry_url,
            username=self.schema_registry_username,
            password=None if password is None else password.get_secret_value(),
            ca_location=self.schema_registry_ca_location,
            topic_prefix=self.topic_prefix,
        )

    def engine(self, tick_topic: str) -> EngineSettings:
        """The engine's part of the settings.

        Raises:
            ConfigurationError: the engine refuses some of them.
        """
        return EngineSettings(
            application_id=self.application_id,
            bootstrap_servers=self.bootstrap_servers,
            instance_id=self.instance_id,
            data_directory=self.data_directory,
            store=self.store,
            static_membership=self.static_membership,
            session_timeout_seconds=self.session_timeout_seconds,
            max_records=self.max_records,
            max_attempts=self.max_attempts,
            gather_seconds=self.gather_seconds,
            stuck_after_seconds=self.stuck_after_seconds,
            stop_seconds=self.stop_seconds,
            changelog_replication=self.changelog_replication,
            changelog_config={"max.compaction.lag.ms": str(ERASURE_LAG_MS)},
            tick_topic=self.topic(tick_topic),
            tick_interval_seconds=self.tick_interval_seconds if self.ticks == "worker" else None,
            client=self.kafka_properties,
        )

    def printable(self) -> dict[str, str]:
        """Every setting by its variable's name, with secrets masked."""
        shown: dict[str, str] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            text = "none" if value is None else str(value)
            shown[_variable(name)] = _MASK if isinstance(value, SecretStr) else text
        return shown


SECRETS: frozenset[str] = frozenset(
    name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)
)
"""Fields that are never shown, and that a file may hold."""


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` go before it.

    Raises:
        SettingsError: some are wrong, or a variable with our prefix is none of ours.
    """
    known = {_variable(name) for name in Settings.model_fields}
    in_files = {_variable(name) + _FILE for name in SECRETS}
    given = os.environ if environment is None else environment
    problems = [
        _unknown(name, known | in_files) for name in sorted(given) if _is_unknown(name, known | in_files)
    ]
    overrides = {**_read_secrets(given, problems), **overrides}
    if environment is not None:
        prefixed = {name: value for name, value in given.items() if name in known}
        overrides = {
            **{
                name.removeprefix(PREFIX).lower(): None if value == "none" else value
                for name, value in prefixed.items()
            },
            **overrides,
        }
    settings = None
    try:
        settings = Settings(**overrides)
        settings.engine("ticks")
    except ValidationError as error:
        for each in error.errors():
            words = value_in_words(each, secret=any(part in SECRETS for part in each["loc"]))
            if each["loc"]:
                problems.append(f"{_variable(str(each['loc'][0]))} {words}")
            else:
                problems += words.split("\n")
    except ConfigurationError as error:
        problems += error.problems
    if problems or settings is None:
        raise SettingsError(tuple(problems))
    return settings


def _read_secrets(given: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """The secrets that files hold; what is wrong with them is added to the problems."""
    found: dict[str, str] = {}
    for name in sorted(SECRETS):
        variable = _variable(name)
        path = given.get(variable + _FILE)
        if path is None:
            continue
        if variable in given:
            problems.append(f"{variable} and {variable}{_FILE} are both set; set one of them")
        # Also where it cannot be read: that it is missing then needs no telling.
        found[name] = ""
        try:
            found[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
            problems.append(f"{variable}{_FILE} names {path}, which cannot be read: {reason}")
            continue
        if not found[name]:
            problems.append(f"{variable}{_FILE} names {path}, which is empty")
    return found


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _is_unknown(name: str, known: set[str]) -> bool:
    return name.startswith(PREFIX) and name not in known and not name.startswith(_NOT_OURS)


def _unknown(name: str, known: set[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"{name} is no setting" + (f"; did you mean {close[0]}?" if close else "")
