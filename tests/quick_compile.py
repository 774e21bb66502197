"""Makes KFP compile faster, for the tests that compile."""

import functools
import inspect
import types

import pytest


@pytest.fixture(scope="session", autouse=True)
def short_stacks():
    """KFP asks for the whole stack to read one name; the source lines of every frame cost most of a compilation."""
    quick = types.SimpleNamespace(stack=functools.partial(inspect.stack, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kfp.dsl.pipeline_task.inspect", quick)
        yield
