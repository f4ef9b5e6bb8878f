"""A real S3 server that speaks TLS, with certificates of an authority that nobody knows but this test."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.artefacts import Artefacts
from benchmark.artefacts.patience import Patience
from benchmark.errors import InfrastructureError, InputError
from tests.artefacts import s3

pytest.importorskip("cryptography", reason="the package cryptography is not installed")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates; its own is the file `<name>.pem`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.bundle = folder / f"{name}.pem"
        self.bundle.write_bytes(self._signed(made))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, age: int = 0) -> x509.CertificateBuilder:
        begin = datetime.datetime.now(datetime.UTC) - DAY - age * DAY
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + 3 * DAY)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def server(self, address: str = "127.0.0.1", age: int = 0) -> ssl.SSLContext:
        """What a server of an address shows, some days after it was made."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        file = self.folder / "server.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        built = self._builder(x509.Name([]), key, age).add_extension(names, critical=True)
        file.write_bytes(secret + self._signed(built))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def server(authority: Authority) -> Iterator[s3.Server]:
    """Trusted by this process."""
    with s3.running(authority.server(), authority.bundle) as made:
        yield made


def store() -> Artefacts:
    return Artefacts(f"s3://{s3.BUCKET}/tls", Patience(seconds=300.0, pause=0.05))


def test_a_store_whose_authority_is_named_works_as_any(server: s3.Server, tmp_path: Path) -> None:
    found = store()
    found.check()
    assert server.endpoint.startswith("https://")
    sha256 = found.put(b"a checkpoint")
    assert found.get(sha256) == b"a checkpoint" and store().get(sha256) == b"a checkpoint"
    found.fetch(sha256, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"a checkpoint"


def refused(match: str) -> None:
    """One error, and not only after the patience of five minutes."""
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match=match) as caught:
        store().check()
    text = str(caught.value)
    assert text.startswith(f"s3://{s3.BUCKET}/tls: the store's certificate is refused: ")
    assert "AWS_CA_BUNDLE" in text and not caught.value.transient and time.monotonic() - started < 120


def test_another_authority_is_refused_at_once(
    server: s3.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(Authority(tmp_path, "another").bundle))
    refused("unable to get local issuer certificate")


def test_the_systems_authorities_alone_do_not_do(server: s3.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE")
    refused("CERTIFICATE_VERIFY_FAILED")


@pytest.mark.parametrize(("address", "age", "says"), [("127.0.0.2", 0, "not valid for"), ("127.0.0.1", 9, "expired")])
def test_a_certificate_of_another_machine_or_time_is_refused(
    authority: Authority, address: str, age: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = s3.Server(authority.server(address, age))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    for name, value in {**s3.CREDENTIALS, "AWS_ENDPOINT_URL": made.endpoint}.items():
        monkeypatch.setenv(name, value)
    refused(says)
    made.close()


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
def test_a_bundle_that_is_none_is_said_before_anything_is_asked(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with pytest.raises(InputError, match=r"AWS_CA_BUNDLE: no file of certificates: .*bundle\.pem"):
        store()
    Artefacts(str(tmp_path / "folder")).check()
