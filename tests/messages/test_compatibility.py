import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.messages.compatibility import check, main
from streams.messages.schemas import schema_directory

FAILED = "billing.payment-failed.v1"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(shutil.copytree(schema_directory(), tmp_path / "schemas"))


def change(directory: Path, topic: str, how: Change) -> None:
    path = directory / f"{topic}.avsc"
    schema = json.loads(path.read_text())
    how(schema)
    path.write_text(json.dumps(schema))


def field(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(field for field in schema["fields"] if field["name"] == name)
    return found


def add_field(schema: dict[str, Any], **more: Any) -> None:
    schema["fields"].append({"name": "batch", "type": "string", "doc": "Which run of the biller."} | more)


def messages(directory: Path, topic: str = FAILED) -> list[str]:
    return [str(finding) for finding in check(topic, directory)]


def test_the_schemas_of_the_tree_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "17 schemas" in capsys.readouterr().out


def test_a_new_field_without_default_is_a_break(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(directory, FAILED, add_field)
    assert main(["--directory", str(directory)]) == 1
    assert (
        f"{FAILED}: batch: cannot read version 1: reader_field_missing_default_value"
        in capsys.readouterr().out
    )


def retype_month(schema: dict[str, Any]) -> None:
    field(field(schema, "card")["type"][1], "exp_month")["type"] = "string"


def rename(schema: dict[str, Any]) -> None:
    schema["name"] = "PaymentBroken"


def require_attempt(schema: dict[str, Any]) -> None:
    field(schema, "attempt").update(type="int", default=0)


def use_milliseconds(schema: dict[str, Any]) -> None:
    field(schema, "occurred_at")["type"]["logicalType"] = "timestamp-millis"


@pytest.mark.parametrize(
    ("how", "finding"),
    [
        (retype_month, "card.exp_month: cannot read version 1: type_mismatch"),
        (rename, "cannot read version 1: name_mismatch"),
        (require_attempt, "attempt: cannot read version 1: type_mismatch"),
        (use_milliseconds, "occurred_at: cannot read version 1: logical type timestamp-millis"),
    ],
)
def test_planted_breaks_are_found_by_path(directory: Path, how: Change, finding: str) -> None:
    change(directory, FAILED, how)
    assert any(finding in message for message in messages(directory)), messages(directory)


def test_breaks_within_lists_are_found_by_path(directory: Path) -> None:
    topic = "dunning.notification-command.v1"

    def retype(schema: dict[str, Any]) -> None:
        field(field(schema, "invoices")["type"]["items"], "amount_minor")["type"] = "int"
        field(schema, "variables")["type"]["values"] = "long"

    change(directory, topic, retype)
    found = messages(directory, topic)
    assert any("invoices[].amount_minor: cannot read version 1: type_mismatch" in line for line in found)
    assert any("variables{}: cannot read version 1: type_mismatch" in line for line in found)


def test_a_lost_symbol_is_a_break_although_avro_would_read_its_default(directory: Path) -> None:
    topic = "notifications.feedback.v1"
    change(directory, topic, lambda schema: field(schema, "kind")["type"]["symbols"].remove("promised"))
    assert any("the enum FeedbackKind has lost promised" in line for line in messages(directory, topic))


def test_a_schema_without_a_released_version(directory: Path) -> None:
    shutil.rmtree(directory / "released" / FAILED)
    assert messages(directory) == [f"{FAILED}: has no released version; run with --release"]


def test_docs_and_defaults_are_wanted(directory: Path) -> None:
    topic = "billing.invoice-closed.v1"

    def strip(schema: dict[str, Any]) -> None:
        del schema["doc"]
        del field(schema, "invoice_id")["doc"]
        del field(schema, "reason")["type"]["doc"]
        del field(schema, "reason")["type"]["default"]

    change(directory, topic, strip)
    assert messages(directory, topic)[:4] == [
        f"{topic}: the record InvoiceClosed has no doc",
        f"{topic}: invoice_id: the field has no doc",
        f"{topic}: reason: the enum InvoiceClosedReason has no doc",
        f"{topic}: reason: the enum InvoiceClosedReason does not have the default 'unknown'",
    ]


def test_a_compatible_change_is_released_once(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(directory, FAILED, lambda schema: add_field(schema, default=""))
    arguments = ["--directory", str(directory)]
    assert main(arguments) == 1
    assert "has changed since version 1; run with --release" in capsys.readouterr().out
    assert main([*arguments, "--release"]) == 0
    assert "released as version 2" in capsys.readouterr().out
    assert main([*arguments, "--release"]) == 0
    assert {path.name for path in (directory / "released" / FAILED).iterdir()} == {"1.avsc", "2.avsc"}


def test_a_break_is_not_released(directory: Path) -> None:
    change(directory, FAILED, add_field)
    assert main(["--directory", str(directory), "--release"]) == 1
    assert [path.name for path in (directory / "released" / FAILED).iterdir()] == ["1.avsc"]


def test_every_released_version_is_held_against_the_present_one(directory: Path) -> None:
    change(directory, FAILED, lambda schema: add_field(schema, default=""))
    assert main(["--directory", str(directory), "--release"]) == 0
    change(directory, FAILED, lambda schema: field(schema, "batch").pop("default"))
    found = messages(directory)
    assert any("cannot read version 1" in line for line in found)
    assert not any("cannot read version 2" in line for line in found)


@pytest.mark.parametrize("text", ["{", '"string"', '{"type": "mystery"}'])
def test_a_file_that_is_no_schema(directory: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / f"{FAILED}.avsc").write_text(text)
    assert main(["--directory", str(directory)]) == 1
    assert f"{FAILED}.avsc" in capsys.readouterr().out


def test_a_version_that_is_no_number(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "released" / FAILED / "old.avsc").write_text("{}")
    assert main(["--directory", str(directory)]) == 1
    assert "should be named by the number" in capsys.readouterr().out
