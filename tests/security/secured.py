"""A broker as production has it: SCRAM and mutual TLS, and nobody may do what no ACL allows.

Beside the two secured listeners it has the local broker's plain one, whose anonymous user may do everything:
the broker itself and the test come by it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from streams.broker import LocalKafka
from streams.broker.process import HOST, free_port
from streams.messages.access import Grant, Operation, ResourceKind

KEY_PASSWORD = "opens-the-key"
_SECONDS = 30.0

# Everything that the authorizer allows and denies, by whom and on what.
_LOGGING = """
status = error
appender.console.type = Console
appender.console.name = out
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = debug
"""
_VERDICT = re.compile(
    r"Principal = User:(?P<user>\S+) is (?P<verdict>Allowed|Denied) operation = (?P<operation>\w+) "
    r"from host = \S+ on resource = (?P<kind>\w+):LITERAL:(?P<name>\S+) for request = (?P<request>\w+)"
)
_KINDS = {
    ResourceKind.TOPIC: ResourceType.TOPIC,
    ResourceKind.GROUP: ResourceType.GROUP,
    ResourceKind.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS = {
    Operation.READ: AclOperation.READ,
    Operation.WRITE: AclOperation.WRITE,
    Operation.CREATE: AclOperation.CREATE,
    Operation.DESCRIBE: AclOperation.DESCRIBE,
    Operation.DESCRIBE_CONFIGS: AclOperation.DESCRIBE_CONFIGS,
}


class Verdict(NamedTuple):
    """What the authorizer said of one operation."""

    user: str
    allowed: bool
    operation: str
    kind: str
    name: str
    request: str


class SecuredKafka:
    """The running broker, its authority, and who is who.

    Attributes:
        servers: of the plain listener.
    """

    def __init__(
        self, kafka: LocalKafka, directory: Path, authority: trustme.CA, ports: tuple[int, int]
    ) -> None:
        self.servers = kafka.bootstrap_servers
        self.log = kafka.log_path
        self._directory = directory
        self._authority = authority
        self._scram, self._mutual = (f"{HOST}:{port}" for port in ports)
        self._admin = AdminClient({"bootstrap.servers": self.servers})

    @property
    def ca(self) -> Path:
        return self._directory / "ca.pem"

    def allow(self, user: str, given: Iterable[Grant]) -> None:
        """Write the grants as ACLs."""
        bindings = [
            AclBinding(
                _KINDS[grant.kind],
                grant.name,
                ResourcePatternType.PREFIXED if grant.is_prefix else ResourcePatternType.LITERAL,
                f"User:{user}",
                "*",
                _OPERATIONS[operation],
                AclPermissionType.ALLOW,
            )
            for grant in given
            for operation in grant.operations
        ]
        for future in self._admin.create_acls(bindings).values():
            future.result(_SECONDS)

    def by_scram(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """A user with a password, and the settings to come by it."""
        password = f"secret-of-{user}"
        change = UserScramCredentialUpsertion(
            user,
            ScramCredentialInfo(ScramMechanism[mechanism.replace("-", "_")], 4096),
            password.encode(),
        )
        for future in self._admin.alter_user_scram_credentials([change]).values():
            future.result(_SECONDS)
        file = self._directory / f"{user}.password"
        file.write_text(f"{password}\n")
        return {
            "bootstrap_servers": self._scram,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_username": user,
            "sasl_password_file": str(file),
            "ssl_ca_location": str(self.ca),
        }

    def by_certificate(self, user: str) -> dict[str, str]:
        """A user with a certificate, and the settings to come by it."""
        certificate = self._authority.issue_cert(f"{user}.test", common_name=user)
        return {
            "bootstrap_servers": self._mutual,
            "security_protocol": "SSL",
            "ssl_ca_location": str(self.ca),
            "ssl_certificate_location": str(_write(self._directory / f"{user}.pem", _chain(certificate))),
            "ssl_key_location": str(
                _write(
                    self._directory / f"{user}.key",
                    _key(certificate, BestAvailableEncryption(KEY_PASSWORD.encode())),
                )
            ),
            "ssl_key_password": KEY_PASSWORD,
        }

    def verdicts(self, user: str) -> Iterator[Verdict]:
        """All that the authorizer has said about a user."""
        for found in _VERDICT.finditer(self.log.read_text(errors="replace")):
            if found["user"] == user:
                yield Verdict(
                    user,
                    found["verdict"] == "Allowed",
                    found["operation"],
                    found["kind"],
                    found["name"],
                    found["request"],
                )


@contextmanager
def secured_kafka(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecuredKafka]:
    """Start one. Java's keystores, the certificates and the log's settings lie in the directory."""
    authority = trustme.CA()
    _write(directory / "ca.pem", authority.cert_pem.bytes())
    broker = authority.issue_cert(HOST, common_name="broker")
    _write(directory / "broker.pem", _key(broker, NoEncryption()) + _chain(broker))
    logging = _write(directory / "log4j2.properties", _LOGGING.encode())
    monkeypatch.setenv("JDK_JAVA_OPTIONS", f"-Dlog4j2.configurationFile={logging}")
    plain, controller, scram, mutual = (free_port() for _ in range(4))
    with LocalKafka.start(
        port=plain,
        properties={
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": ",".join(
                f"{name}://{HOST}:{port}"
                for name, port in (
                    ("CLIENT", plain),
                    ("CONTROLLER", controller),
                    ("SCRAM", scram),
                    ("MUTUAL", mutual),
                )
            ),
            "advertised.listeners": f"CLIENT://{HOST}:{plain},SCRAM://{HOST}:{scram},MUTUAL://{HOST}:{mutual}",
            "listener.security.protocol.map": (
                "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL"
            ),
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+),.*$/$1/",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(directory / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(directory / "ca.pem"),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **{
                f"listener.name.scram.scram-sha-{bits}.sasl.jaas.config": (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                )
                for bits in (256, 512)
            },
        },
    ) as kafka:
        if kafka.launch.kill_command is not None:
            pytest.skip(
                "needs a local Java: the broker's certificates are files, which a container does not see"
            )
        yield SecuredKafka(kafka, directory, authority, (scram, mutual))


def environment(*settings: dict[str, Any]) -> dict[str, str]:
    """Settings as the variables of the environment."""
    return {f"DUNNING_{name.upper()}": str(value) for each in settings for name, value in each.items()}


def _chain(certificate: trustme.LeafCert) -> bytes:
    return b"".join(each.bytes() for each in certificate.cert_chain_pems)


def _key(certificate: trustme.LeafCert, encryption: KeySerializationEncryption) -> bytes:
    # Java reads PKCS #8 only.
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path
