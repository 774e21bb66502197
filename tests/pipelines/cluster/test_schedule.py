"""Recurring runs: what the file declares is what the endpoint has, and a difference is never silent."""

import datetime
import zoneinfo

import pytest
import yaml

from expressnet.runtime import code_version
from pipelines.__main__ import main
from pipelines.cluster import ClusterError, schedule
from tests.pipelines.cluster.stand_in import Fault

NIGHTLY = {"pipeline": "train", "cron": "0 30 2 * * *", "parameters": {"dataset": "demo", "seed": 7}}


@pytest.fixture
def declare(tmp_path):
    """Writes schedules and returns the arguments of the command."""

    def write(**schedules):
        path = tmp_path / "schedules.yaml"
        path.write_text(yaml.safe_dump({"time_zone": "Europe/Berlin", "schedules": schedules}))
        return ["schedule", "--file", str(path)]

    return write


def _only(found):
    (value,) = found.values()
    return value


def test_a_new_schedule_is_made_one_at_a_time_and_without_catching_up(endpoint, declare, capsys):
    assert main(declare(nightly=NIGHTLY)) == 0
    made = _only(endpoint.recurring)
    assert made.trigger.cron_schedule.cron == "0 30 2 * * *"
    assert (made.max_concurrency, made.no_catchup, made.mode) == ("1", True, "ENABLE")
    assert made.runtime_config.parameters["seed"] == 7
    assert made.runtime_config.parameters["workspace"] == "/workspace"
    reference = made.pipeline_version_reference
    assert reference.pipeline_version_id == _only(endpoint.versions).pipeline_version_id
    assert reference.pipeline_id
    # What the parameters do not say, the pipeline's defaults do.
    assert _only(endpoint.versions).tags == {"dataset": "demo", "preset": "small", "protocol": "honest"}
    said = capsys.readouterr().out
    assert said.count(" 02:30:00") == 5
    assert "(Europe/Berlin)" in said
    assert "nightly: new" in said


def test_applying_twice_changes_nothing(endpoint, declare, capsys):
    command = declare(nightly=NIGHTLY)
    main(command)
    before = set(endpoint.recurring)
    assert main(command) == 0
    assert set(endpoint.recurring) == before
    assert "nightly: as declared" in capsys.readouterr().out
    assert main([*command, "--check"]) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cron": "0 0 4 * * *"}, "cron 0 30 2 * * * -> 0 0 4 * * *"),
        ({"enabled": False}, "enabled True -> False"),
        ({"parameters": {"dataset": "demo", "seed": 8}}, '"seed": 8'),
        ({"profile": "onprem-4gpu"}, "pipeline version expressnet-train"),
    ],
)
def test_a_change_is_drift_that_a_check_reports_and_applying_mends(endpoint, declare, capsys, change, said):
    main(declare(nightly=NIGHTLY))
    (old,) = endpoint.recurring
    command = declare(nightly={**NIGHTLY, **change})
    assert main([*command, "--check"]) == 1
    assert list(endpoint.recurring) == [old]
    assert said in capsys.readouterr().out
    assert main(command) == 0
    assert len(endpoint.recurring) == 1
    assert old not in endpoint.recurring


def test_other_code_is_drift(endpoint, declare, monkeypatch):
    command = declare(nightly=NIGHTLY)
    main(command)
    digest = code_version.digest
    monkeypatch.setattr(code_version, "digest", lambda *names: digest(*names)[::-1])
    assert main([*command, "--check"]) == 1
    assert main(command) == 0
    assert len(endpoint.versions) == 2
    assert len(endpoint.recurring) == 1


def test_a_parameter_that_can_be_no_label_is_refused_before_anything_is_asked(endpoint, declare, capsys):
    assert main(declare(nightly={**NIGHTLY, "parameters": {"dataset": "demo", "preset": "very small"}})) == 1
    assert "preset must be a label of Kubernetes" in capsys.readouterr().err
    assert endpoint.requests == []


def test_what_somebody_switched_off_by_hand_is_drift(endpoint, declare):
    command = declare(nightly=NIGHTLY)
    main(command)
    recurring = _only(endpoint.recurring)
    recurring.status = recurring.mode = "DISABLE"
    assert main([*command, "--check"]) == 1


def test_what_is_declared_no_more_goes_and_what_people_made_stays(endpoint, declare):
    main(declare(nightly=NIGHTLY, weekly={**NIGHTLY, "cron": "0 0 3 * * 1"}))
    by_hand = next(iter(endpoint.recurring.values()))
    by_hand.description = "made by hand"
    command = declare()
    assert main([*command, "--check"]) == 1
    assert main(command) == 0
    assert _only(endpoint.recurring) is by_hand


def test_an_interrupted_change_leaves_a_schedule_and_the_next_call_mends_it(endpoint, declare):
    main(declare(nightly=NIGHTLY))
    endpoint.faults.append(Fault("DELETE .*/recurringruns/", 403))
    command = declare(nightly={**NIGHTLY, "cron": "0 0 4 * * *"})
    assert main(command) == 1
    assert len(endpoint.recurring) == 2
    assert main(command) == 0
    assert _only(endpoint.recurring).trigger.cron_schedule.cron == "0 0 4 * * *"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cron": "30 2 * * *"}, "cron must have six fields, seconds first.*got '30 2"),
        ({"cron": "0 0 25 * * *"}, "cron must have six fields"),
        ({"cron": "0 0 3 * * 7"}, "0 = Sunday"),
        ({"cron": "0 0 3 L * *"}, "cron must have six fields"),
        ({"pipeline": "trian"}, "pipeline must be one of train"),
        ({"parameters": {"datset": "demo"}}, "parameters must be among .*; got datset"),
        ({"every": "day"}, "unexpected keyword argument 'every'"),
    ],
)
def test_nonsense_in_the_file_is_refused(declare, change, message):
    path = declare(nightly={**NIGHTLY, **change})[-1]
    with pytest.raises(ClusterError, match=message):
        schedule.read(schedule.Path(path))


def test_an_unknown_zone_is_refused(tmp_path):
    (tmp_path / "s.yaml").write_text("time_zone: Mars/Olympus")
    with pytest.raises(ClusterError, match="Mars/Olympus"):
        schedule.read(tmp_path / "s.yaml")


def test_seconds_come_first_and_the_zone_decides():
    now = datetime.datetime(2026, 3, 28, 12, 0, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    found = schedule.Schedule(pipeline="train", cron="15 0 9 ? * MON-FRI").next_times(now)
    assert [time.strftime("%a %d %H:%M:%S %z") for time in found] == [
        "Mon 30 09:00:15 +0200",
        "Tue 31 09:00:15 +0200",
        "Wed 01 09:00:15 +0200",
        "Thu 02 09:00:15 +0200",
        "Fri 03 09:00:15 +0200",
    ]


def test_the_file_of_the_project_is_in_order():
    _, declared = schedule.read(schedule.Path(__file__).parents[3] / "k8s" / "schedules.yaml")
    assert declared
