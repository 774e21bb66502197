"""What every artifact and every stage's report shares: typed fields, one file, a version, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import pydantic

from expressnet.runtime import storage

VERSION_KEY = "schema_version"
Plain = int | float | str | bool


class Facts(pydantic.BaseModel):
    """Typed facts that can't be changed, such as a stage's report."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    def as_dict(self) -> dict[str, Any]:
        """Returns all fields as JSON has them; those that are None are left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def plain(self) -> dict[str, Plain]:
        """Returns what a run view can show: numbers and texts, lists and counts in words."""
        return {name: _in_words(value) for name, value in self.as_dict().items()}


def _in_words(value: Any) -> Plain:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(str(_in_words(part)) for part in value)
    return value


class Stored(Facts):
    """An artifact: a record in a file of its own within a stage's folder.

    A file without a version was written before there were versions; a subclass gives what it may lack a default.
    """

    FILE: ClassVar[str]
    VERSION: ClassVar[int] = 1

    def write(self, folder: str | Path) -> None:
        """Writes the file into a folder."""
        storage.write_json(Path(folder) / self.FILE, {**self.as_dict(), VERSION_KEY: self.VERSION})

    @classmethod
    def path(cls, folder: str | Path) -> Path:
        """Returns where the file is in a folder."""
        return Path(folder) / cls.FILE

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Reads the file of a folder.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is torn, of a newer version, or lacks something.
        """
        return cls.read_file(cls.path(folder))

    @classmethod
    def read_file(cls, path: str | Path) -> Self:
        """Reads a file, whatever its name; see `read`."""
        if not Path(path).exists():
            raise FileNotFoundError(
                f"{path} must be there, and is not. Is the folder the output of another stage, or was it emptied?"
            )
        found = storage.read_json(path)
        if not isinstance(found, dict):
            raise ValueError(f"{path} must hold names and values; got a {type(found).__name__}. Is it another file?")
        version = found.pop(VERSION_KEY, 0)
        if not isinstance(version, int) or version > cls.VERSION:
            raise ValueError(
                f"{path} must be of version {cls.VERSION} or older; got {version!r}. It was written by a newer "
                "ExpressNet: update this one, or set OUT= to another workspace."
            )
        try:
            return cls.model_validate(found)
        except pydantic.ValidationError as error:
            raise ValueError(
                f"{path} does not hold what a {cls.__name__} needs: {_told(error)}. Was it edited, or cut off?"
            ) from None


def _told(error: pydantic.ValidationError) -> str:
    """Says of the first few fields what is wrong."""
    wrong = []
    for each in error.errors(include_url=False)[:3]:
        name = ".".join(str(part) for part in each["loc"])
        came = "" if each["type"] == "missing" else f"; got {str(each['input'])[:40]!r}"
        wrong.append(f"{name}: {each['msg'][0].lower()}{each['msg'][1:]}{came}")
    return ", ".join(wrong)
