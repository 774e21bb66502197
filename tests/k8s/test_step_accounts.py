"""The policy that gives each step the account of its class: whom it touches, and what it says."""

import dataclasses

import cel
import kubernetes_validate
import pytest

from pipelines import catalog, image_lock, placement, profiles
from pipelines.cluster import examinations
from tests.k8s import network

OVERLAY = "step-accounts"
ADMISSION = {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}


def _of_kind(objects, kind):
    return next(one for one in objects if one["kind"] == kind)


@pytest.fixture
def policy(render):
    """What the policy is made of."""
    return _of_kind(render(OVERLAY), "MutatingAdmissionPolicy")["spec"]


@pytest.mark.parametrize(("version", "unknown"), [("1.35", ADMISSION), ("1.36", set())])
def test_every_object_fits_the_schema_of_kubernetes_1_36_and_only_admission_is_new_there(render, version, unknown):
    missing = set()
    for one in render(OVERLAY):
        try:
            assert kubernetes_validate.validate(one, version, strict=True) == version
        except kubernetes_validate.SchemaNotFoundError as error:
            missing.add(error.kind)
    assert missing == unknown


def test_it_is_for_pods_of_our_namespace_when_they_are_made(policy, render):
    constraints = policy["matchConstraints"]
    (rule,) = constraints["resourceRules"]
    assert (rule["apiGroups"], rule["resources"], rule["operations"]) == ([""], ["pods"], ["CREATE"])
    namespace = _of_kind(render("onprem"), "Namespace")["metadata"]["name"]
    for name in (namespace, "kubeflow"):
        labels = {"kubernetes.io/metadata.name": name}
        assert network.selects(constraints["namespaceSelector"], labels) == (name == namespace)


def test_it_touches_exactly_the_pods_that_have_a_class_of_steps(policy):
    selector = policy["matchConstraints"]["objectSelector"]
    for step_class in image_lock.STEP_CLASSES:
        assert network.selects(selector, {placement.CLASS_LABEL: step_class})
    assert not network.selects(selector, {placement.CLASS_LABEL: "serving"})
    assert not network.selects(selector, {"pipeline/runid": "a-driver"})
    assert selector["matchExpressions"][0]["values"] == list(image_lock.STEP_CLASSES)


@pytest.mark.parametrize("profile", profiles.NAMES)
def test_each_class_gets_the_account_that_a_profile_names_and_the_base_has(policy, render, profile):
    (mutation,), (variable,) = policy["mutations"], policy["variables"]
    # Only Kubernetes knows the type Object; the expression behind it is plain.
    assert mutation["applyConfiguration"]["expression"] == (
        f"Object{{spec: Object.spec{{serviceAccountName: variables.{variable['name']}}}}}"
    )
    given = {}
    for step_class in image_lock.STEP_CLASSES:
        pod = {"metadata": {"labels": {placement.CLASS_LABEL: step_class, placement.STAGE_LABEL: "x"}}, "spec": {}}
        given[step_class] = cel.evaluate(variable["expression"], {"object": pod})
    assert given == profiles.read(profile).service_accounts
    accounts = {one["metadata"]["name"] for one in render("onprem") if one["kind"] == "ServiceAccount"}
    assert set(given.values()) <= accounts


def test_a_step_that_can_not_get_its_account_does_not_start_and_the_binding_is_the_policys(policy, render):
    assert policy["failurePolicy"] == "Fail"
    policy_name = _of_kind(render(OVERLAY), "MutatingAdmissionPolicy")["metadata"]["name"]
    binding = _of_kind(render(OVERLAY), "MutatingAdmissionPolicyBinding")
    assert binding["spec"] == {"policyName": policy_name}
    assert {policy_name, binding["metadata"]["name"]} == {examinations.POLICY}


def test_who_submits_may_look_at_these_two_and_nothing_more(render):
    objects = render(OVERLAY)
    (rule,) = _of_kind(objects, "ClusterRole")["rules"]
    assert (rule["verbs"], rule["resourceNames"]) == (["get"], [examinations.POLICY])
    assert set(rule["resources"]) == {"mutatingadmissionpolicies", "mutatingadmissionpolicybindings"}
    assert (
        _of_kind(objects, "ClusterRoleBinding")["roleRef"]["name"]
        == _of_kind(objects, "ClusterRole")["metadata"]["name"]
    )


@pytest.mark.parametrize(("per_step", "accounts"), [(False, ("registry", "train")), (True, ("data", "data"))])
def test_a_run_starts_as_the_most_trusted_step_or_the_least_where_each_has_its_own(per_step, accounts):
    profile = dataclasses.replace(profiles.read("cpu"), account_per_step=per_step)
    found = [placement.service_account(catalog.load(name), profile) for name in ("train", "predict")]
    assert found == [f"expressnet-{name}" for name in accounts]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"account_per_step": "yes"}, "account_per_step must be true or false; got 'yes'"),
        (
            {"account_per_step": True, "service_accounts": dict.fromkeys(image_lock.STEP_CLASSES, "default")},
            "service_accounts must be .*'expressnet-data'.* with account_per_step; got .*'default'",
        ),
    ],
)
def test_a_profile_that_the_policy_would_overrule_is_refused(changes, message):
    with pytest.raises(profiles.ProfileError, match=message):
        dataclasses.replace(profiles.read("cpu"), **changes)
