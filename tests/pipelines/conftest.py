"""What compiles here, compiles quickly."""

from tests.quick_compile import short_stacks  # noqa: F401, a fixture
