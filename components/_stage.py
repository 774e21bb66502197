"""Makes a Kubeflow component of a stage's wrapper: its inputs are those that it names and the options of its stage."""

import ast
import inspect
import linecache
import textwrap

from kfp import dsl

from expressnet.config import options

_PLACE = "options"


def stage(base_image, *classes, without=()):
    """Returns a decorator that makes a component whose parameter `options` stands for the options of `classes`.

    Kubeflow reads a component's inputs off the function's signature and ships the function's source, so both must
    name every input. The source is therefore written out: `options: dict` in the signature becomes an input for each
    option, and the body begins with putting them together again.

    Args:
        base_image: in which the component runs.
        *classes: settings classes, see expressnet.config.options.
        without: options of theirs that this stage does not look at.
    """

    def make(function):
        offered = options.of_classes(*classes).items()
        inputs = {name: option.kind.__name__ for name, option in offered if name not in without}
        source = _written_out(textwrap.dedent(inspect.getsource(function)), inputs)
        file_name = f"<component {function.__name__}>"
        linecache.cache[file_name] = (len(source), None, source.splitlines(keepends=True), file_name)
        namespace = dict(function.__globals__)
        exec(compile(source, file_name, "exec"), namespace)  # our own source, a few lines above
        return dsl.component(namespace[function.__name__], base_image=base_image, install_kfp_package=False)

    return make


def _written_out(source, inputs):
    """Returns the source of a function with `inputs`, name to type, in the place of its parameter `options`."""
    (function,) = ast.parse(source).body
    function.decorator_list = []
    found = [place for place, argument in enumerate(function.args.args) if argument.arg == _PLACE]
    if found:
        already = {argument.arg for argument in function.args.args}
        flat = [ast.arg(name, ast.Name(kind)) for name, kind in inputs.items() if name not in already]
        function.args.args[found[0] : found[0] + 1] = flat
        together = ast.parse(f"{_PLACE} = {{{', '.join(f'{name!r}: {name}' for name in inputs)}}}").body
        after_docstring = 1 if ast.get_docstring(function) else 0
        function.body[after_docstring:after_docstring] = together
    return ast.unparse(ast.fix_missing_locations(function)) + "\n"
