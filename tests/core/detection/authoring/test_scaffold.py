"""A new rule works from the first minute and overwrites nothing."""

from pathlib import Path

import pytest

from iota_dagster.core.detection.authoring.lint import LOG_TYPES, lint
from iota_dagster.core.detection.authoring.mutation import mutate
from iota_dagster.core.detection.authoring.rule_tests import run_tests
from iota_dagster.core.detection.authoring.scaffold import folder_of, new_rule
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.errors import RuleError


@pytest.mark.parametrize("log_type", LOG_TYPES)
def test_a_new_rule_passes_its_tests_the_linter_and_mutation(tmp_path: Path, log_type: str) -> None:
    code, document = new_rule("Vendor.Service.ThingDeleted", log_type, tmp_path / "rules")
    assert (code.name, document.name) == ("thing_deleted.py", "thing_deleted.yml")
    pack = load_rules([tmp_path])
    assert (run_tests(pack).passed, run_tests(pack).failures) == (2, ())
    assert lint([tmp_path]).findings == ()
    report = mutate(pack)
    assert report.mutants > 1
    assert (report.survivors, report.errors) == ((), ())


@pytest.mark.parametrize(
    ("rule_id", "stem"),
    [
        ("AWS.Console.SignInWithoutMFA", "sign_in_without_mfa"),
        ("AWS.S3.Bucket", "bucket"),
        ("AWS.EC2.AMIShared", "ami_shared"),
        ("AWS.X.Two2Three", "two_2_three"),
    ],
)
def test_files_are_called_after_what_happened(tmp_path: Path, rule_id: str, stem: str) -> None:
    assert new_rule(rule_id, folder=tmp_path)[0].stem == stem


def test_without_a_folder_it_goes_where_its_log_type_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _ = new_rule("Okta.Zone.Deleted", "Okta.SystemLog")
    assert code == Path("rules/okta/deleted.py")
    assert folder_of("AWS.CloudTrail") == "aws_cloudtrail"


@pytest.mark.parametrize("suffix", [".py", ".yml"])
def test_a_file_that_exists_stays_and_nothing_is_written_beside_it(tmp_path: Path, suffix: str) -> None:
    mine = tmp_path / f"deleted{suffix}"
    mine.write_text("mine")
    with pytest.raises(RuleError, match="exists and stays as it is: choose another id or --folder"):
        new_rule("AWS.Vault.Deleted", folder=tmp_path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("rule_id", ["", "Deleted", "aws.vault", "AWS.Vault Deleted", "AWS.../../x", "AWS.Vault."])
def test_an_id_of_another_form_is_refused(tmp_path: Path, rule_id: str) -> None:
    with pytest.raises(RuleError, match=r"write it as Vendor\.Service\.WhatHappened"):
        new_rule(rule_id, folder=tmp_path)


@pytest.mark.parametrize("log_type", ["CloudTrail", "AWS.Cloud/Trail", "AWS.CloudTrail\nEnabled: false"])
def test_a_log_type_of_another_form_is_refused(tmp_path: Path, log_type: str) -> None:
    with pytest.raises(RuleError, match=r"write it as Vendor\.Kind"):
        new_rule("AWS.Vault.Deleted", log_type, tmp_path)
