"""What a cluster offers each step: nodes, resources, patience, price. Read from `k8s/profiles/<name>.yaml`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.utils.quantity import parse_quantity

from pipelines.errors import RunError
from pipelines.graphs.fan_out import ALONE, FanOut
from pipelines.image_lock import STEP_CLASSES

FOLDER = Path(__file__).resolve().parents[1] / "k8s" / "profiles"
_COMPONENTS = Path(__file__).resolve().parents[1] / "components"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_LONGEST_S = 30 * 24 * 3600
_LONGEST_WAIT_S = 2 * 3600


class ProfileError(RunError):
    """A profile that can't be meant; the message names the file's key and value."""


def _require(condition: bool, what: str, requirement: str, value: Any) -> None:
    if not condition:
        raise ProfileError(f"{what} must be {requirement}; got {value!r}.")


def _quantity(value: str, what: str) -> float:
    try:
        amount = float(parse_quantity(value))
    except ValueError as error:
        raise ProfileError(f"{what} must be a Kubernetes quantity such as 500m or 8Gi; got {value!r}.") from error
    _require(amount > 0, what, "more than nothing", value)
    return amount


@dataclasses.dataclass(frozen=True, kw_only=True)
class Accelerator:
    """The GPUs of one node; a step that runs there takes them all.

    Attributes:
        type: as people call it, e.g. nvidia-l4.
        count: GPUs of the node.
        resource: the name under which the device plugin offers them.
    """

    type: str
    count: int
    resource: str = "nvidia.com/gpu"

    def __post_init__(self) -> None:
        _require(bool(self.type), "accelerator.type", "the name of a GPU", self.type)
        _require(isinstance(self.count, int) and 1 <= self.count <= 16, "accelerator.count", "1 to 16", self.count)
        _require("/" in self.resource, "accelerator.resource", "a name such as nvidia.com/gpu", self.resource)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """Nodes of one kind.

    Attributes:
        node_selector: labels that a node must have.
        affinity: what else a node must be: {key, operator, values} each, all of them.
        tolerations: taints that are no obstacle: {key, operator, value, effect} each.
        spot: whether the provider may take a node away at any moment.
        usd_per_hour: list price of one node.
        accelerator: its GPUs, None for a node without.
        shared_memory: size of /dev/shm, through which NCCL talks; part of the step's memory.
        queue: Kueue's LocalQueue that admits the pods; "" for none.
    """

    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    affinity: tuple[Mapping[str, Any], ...] = ()
    tolerations: tuple[Mapping[str, str], ...] = ()
    spot: bool = False
    usd_per_hour: float = 0.0
    accelerator: Accelerator | None = None
    shared_memory: str = ""
    queue: str = ""

    def __post_init__(self) -> None:
        _require(self.usd_per_hour >= 0, "usd_per_hour", "0 or more", self.usd_per_hour)
        for rule in self.affinity:
            _require(rule.get("operator") in _OPERATORS, "affinity.operator", f"one of {', '.join(_OPERATORS)}", rule)
            _require(bool(rule.get("key")), "affinity.key", "a node label", rule)
        for toleration in self.tolerations:
            _require(bool(toleration.get("key")), "tolerations.key", "a taint (all taints is too many)", toleration)
        for label, value in self.node_selector.items():
            _require(isinstance(value, str), f"node_selector.{label}", "text; put it in quotes", value)
        if self.shared_memory:
            _quantity(self.shared_memory, "shared_memory")
        _require(not self.accelerator or bool(self.shared_memory), "shared_memory", "given with an accelerator", "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """What one step asks for.

    Attributes:
        pool: name of its pool.
        cpu, memory: requests, Kubernetes quantities.
        cpu_limit, memory_limit: limits; at least the requests.
        timeout_s: seconds after which an attempt is ended, from the moment its pod is on a node.
        retries: further attempts, for a pod that vanished and for an exit that is not 0.
        backoff_s: seconds before the first of them.
        backoff_factor: what every further wait is multiplied by, a whole number because Argo parses no other.
    """

    pool: str
    cpu: str
    memory: str
    cpu_limit: str
    memory_limit: str
    timeout_s: int
    retries: int
    backoff_s: int
    backoff_factor: int = 2

    def __post_init__(self) -> None:
        for resource in ("cpu", "memory"):
            least, most = getattr(self, resource), getattr(self, f"{resource}_limit")
            fits = _quantity(least, resource) <= _quantity(most, f"{resource}_limit")
            _require(fits, f"{resource}_limit", f"at least the request of {least}", most)
        _require(60 <= self.timeout_s <= _LONGEST_S, "timeout_s", f"60 to {_LONGEST_S} seconds", self.timeout_s)
        _require(1 <= self.retries <= 20, "retries", "1 to 20", self.retries)
        _require(1 <= self.backoff_s <= 3600, "backoff_s", "1 to 3600 seconds", self.backoff_s)
        _require(self.backoff_factor in (1, 2, 3), "backoff_factor", "1, 2 or 3", self.backoff_factor)
        longest_s = max(self.waits_s)
        _require(
            longest_s <= _LONGEST_WAIT_S,
            "the longest wait between attempts",
            f"at most {_LONGEST_WAIT_S} s (retries, backoff_s, backoff_factor)",
            longest_s,
        )

    @property
    def waits_s(self) -> list[int]:
        """Seconds before every further attempt."""
        return [self.backoff_s * self.backoff_factor**number for number in range(self.retries)]

    @property
    def longest_s(self) -> int:
        """Seconds that all attempts and waits can take."""
        return (self.retries + 1) * self.timeout_s + sum(self.waits_s)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
    """One cluster as the pipelines see it.

    Attributes:
        name: of the file.
        about: one sentence for people.
        workspace_claim: PersistentVolumeClaim (ReadWriteMany) that every step mounts.
        workspace_path: where.
        service_accounts: of each step class: data, train, registry.
        account_per_step: whether k8s/overlays/step-accounts is applied, which gives each step the account of its class.
        registry_uri: MLflow server; "" for sqlite in the workspace.
        pools: by name.
        defaults: of steps that `steps` does not name.
        steps: by the name of the component.
        crop: how many pods share the cutting of faces.
    """

    name: str
    about: str
    workspace_claim: str
    workspace_path: str
    service_accounts: Mapping[str, str]
    pools: Mapping[str, Pool]
    defaults: Step
    steps: Mapping[str, Step]
    registry_uri: str = ""
    crop: FanOut = ALONE
    account_per_step: bool = False

    def __post_init__(self) -> None:
        path = self.workspace_path
        _require(path.startswith("/") and len(path) > 1, "workspace_path", "an absolute folder, not the root", path)
        _require(bool(self.workspace_claim), "workspace_claim", "the name of a PersistentVolumeClaim", "")
        _require(
            set(self.service_accounts) == set(STEP_CLASSES),
            "service_accounts",
            f"given for {', '.join(STEP_CLASSES)}",
            sorted(self.service_accounts),
        )
        _require(isinstance(self.account_per_step, bool), "account_per_step", "true or false", self.account_per_step)
        given = {name: f"expressnet-{name}" for name in STEP_CLASSES}  # by the policy
        _require(
            not self.account_per_step or self.service_accounts == given,
            "service_accounts",
            f"{given} with account_per_step",
            self.service_accounts,
        )
        steps = {"defaults": self.defaults, **self.steps}
        for name, step in steps.items():
            _require(step.pool in self.pools, f"pool of {name}", f"one of {', '.join(self.pools)}", step.pool)
        _require(
            self.pools[self.defaults.pool].accelerator is None,
            "pool of defaults",
            "one without GPUs, or every step would hold them",
            self.defaults.pool,
        )
        for name, step in steps.items():
            self._check_memory(name, step)
        has_gpus = any(pool.accelerator for pool in self.pools.values())
        for name, pool in self.pools.items():
            kept_apart = pool.accelerator or pool.node_selector or pool.affinity
            _require(
                bool(kept_apart) or not has_gpus,
                f"pools.{name}",
                "kept off the GPU nodes by a node_selector or affinity",
                "neither",
            )

    def _check_memory(self, name: str, step: Step) -> None:
        shared = self.pools[step.pool].shared_memory
        if shared:
            fits = _quantity(shared, "shared_memory") < _quantity(step.memory_limit, "memory_limit")
            _require(
                fits, f"memory_limit of {name}", f"more than /dev/shm ({shared}), which it holds", step.memory_limit
            )

    def step(self, name: str) -> Step:
        """Returns what the component `name` asks for."""
        return self.steps.get(name, self.defaults)


def read(name: str, folder: Path = FOLDER) -> Profile:
    """Reads `<folder>/<name>.yaml`.

    Raises:
        ProfileError: there is none, a key is unknown or missing, or a value makes no sense.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml")))
        raise ProfileError(f"PROFILE must be one of {known}; got {name!r}. Own ones go to {folder}.")
    try:
        return _profile(name, yaml.safe_load(path.read_text()))
    except (ProfileError, ValueError, yaml.YAMLError) as error:
        raise ProfileError(f"{path}: {error}") from error
    except TypeError as error:  # of a dataclass that got a key too many or too few
        raise ProfileError(f"{path}: {str(error).replace('.__init__()', '')}. Is a key misspelt or missing?") from error


def _profile(name: str, given: Any) -> Profile:
    _require(isinstance(given, dict), "a profile", "a mapping of keys to values", given)
    plain = dict(given)
    defaults = plain.pop("defaults", {})
    pools = {key: _pool(value) for key, value in plain.pop("pools", {}).items()}
    overrides = plain.pop("steps", {})
    components = {path.stem for path in _COMPONENTS.glob("[a-z]*.py")}
    unknown = sorted(set(overrides) - components)
    _require(not unknown, "steps", f"among the components {', '.join(sorted(components))}", unknown)
    steps = {key: Step(**{**defaults, **value}) for key, value in overrides.items()}
    crop = FanOut(**plain.pop("crop", {}))
    return Profile(name=name, pools=pools, defaults=Step(**defaults), steps=steps, crop=crop, **plain)


def _pool(given: Mapping[str, Any]) -> Pool:
    plain = dict(given)
    accelerator = plain.pop("accelerator", None)
    lists = {key: tuple(plain.pop(key)) for key in ("affinity", "tolerations") if key in plain}
    return Pool(**plain, **lists, accelerator=Accelerator(**accelerator) if accelerator else None)
