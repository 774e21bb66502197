import pytest

from expressnet.registry import prohibited_uses


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("watching employees at work", "employees, at work"),
        ("Job interviews", "job, interviews"),
        ("attention of students in an online exam", "students, exam"),
        ("moods in the workplace", "workplace"),
        ("our SCHOOL, our school", "school"),
        ("proctoring", "proctoring"),
    ],
)
def test_work_and_education_are_named_in_the_european_union(use, words):
    said = prohibited_uses.objection(use, "eu")
    assert f"speaks of {words}: in the European Union" in said
    assert "Art. 5(1)(f)" in said
    assert "list of English words and no legal advice" in said
    assert prohibited_uses.objection(use, "none") == prohibited_uses.remark(use, "none") == ""


@pytest.mark.parametrize(
    "use", ["", "counting smiles of puppets", "an example of a workshop", "preschoolish", "examples"]
)
def test_other_uses_pass(use):
    assert prohibited_uses.objection(use, "eu") == prohibited_uses.remark(use, "eu") == ""


@pytest.mark.parametrize("use", ["pain of patients, shown to hospital staff", "fatigue of workers at a saw"])
def test_medical_and_safety_reasons_pass_with_a_remark(use):
    assert prohibited_uses.objection(use, "eu") == ""
    assert "a list of words can't say" in prohibited_uses.remark(use, "eu")
