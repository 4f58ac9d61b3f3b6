"""Finding a policy and putting its document together: one file, or a directory of files, with `extends`.

A directory has a `policy.yaml`; any other `<setting>.yaml` beside it holds the value of that setting, and
`content/<locale>/<template>.yaml` the texts. A document may extend another one: maps are merged, everything
else is replaced, and `null` removes an entry.
"""

from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from streams.policy.errors import PolicyError, Problem
from streams.policy.strict_yaml import Locations, parse

MAX_EXTENDS = 8
"""Longer chains of `extends` cannot be followed by a reader; a cycle is found before."""


class Document(Struct, frozen=True):
    """A whole policy as plain values, before it is checked, and where each value came from."""

    source: str
    values: dict[str, Any]
    locations: Locations = field(default_factory=dict)


def policies_directory() -> Path:
    """Where the shipped policies are: in the package if it was installed, else in the repository."""
    packaged = resources.files("streams") / "_data" / "policies"
    if isinstance(packaged, Path) and packaged.is_dir():
        return packaged
    return Path(__file__).resolve().parents[2] / "policies"


def shipped_names() -> tuple[str, ...]:
    """The names of the policies that come with the engine, sorted."""
    directory = policies_directory()
    return tuple(sorted(path.parent.name for path in directory.glob("*/policy.yaml")))


def find(name_or_path: str | Path, *, relative_to: Path | None = None) -> Path:
    """The file or directory of a policy. A shipped name comes first: write `./care` for a path of that name.

    Raises:
        PolicyError: There is no such policy.
    """
    wanted = str(name_or_path)
    names = shipped_names()
    if wanted in names:
        return policies_directory() / wanted
    path = (relative_to or Path()) / wanted
    if path.is_dir() and not (path / "policy.yaml").is_file():
        raise PolicyError(wanted, [Problem("", "is a directory without a policy.yaml")])
    if path.exists():
        return path
    close = get_close_matches(wanted, names, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"shipped: {', '.join(names)}"
    raise PolicyError(wanted, [Problem("", "there is no policy of this name and no such file", hint)])


def read(path: Path) -> Document:
    """The document at `path` with all that it extends.

    Raises:
        PolicyError: A file cannot be read or parsed, or `extends` leads nowhere or in a circle.
    """
    return _read(path, ())


def _read(path: Path, below: tuple[Path, ...]) -> Document:
    here = path.resolve()
    source = _display(path)
    if here in below or len(below) > MAX_EXTENDS:
        chain = " -> ".join(_display(step) for step in (*below, here))
        raise PolicyError(source, [Problem("extends", f"leads in a circle: {chain}", "remove one of them")])
    own = _read_directory(path) if path.is_dir() else _read_file(path)
    base_name = own.values.pop("extends", None)
    if base_name is None:
        return Document(source, own.values, own.locations)
    if not isinstance(base_name, str):
        location = own.locations.get(("extends",), "")
        problem = Problem("extends", "is not text", "name a shipped policy or a file", location)
        raise PolicyError(source, [problem])
    folder = path if path.is_dir() else path.parent
    try:
        base_path = find(base_name, relative_to=folder)
    except PolicyError as error:
        location = own.locations.get(("extends",), "")
        problems = [
            Problem("extends", f"leads to `{base_name}`: {problem.message}", problem.hint, location)
            for problem in error.problems
        ]
        raise PolicyError(source, problems) from error
    base = _read(base_path, (*below, here))
    return Document(source, merge(base.values, own.values), {**base.locations, **own.locations})


def merge(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `own` over it: maps merged, the rest replaced, `null` removes."""
    result = dict(base)
    for key, value in own.items():
        below = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result


def _read_file(path: Path) -> Document:
    source = _display(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(source, [Problem("", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise PolicyError(source, [Problem("", "is not UTF-8 text", "save the file as UTF-8")]) from error
    values, locations = parse(text, source)
    if not isinstance(values, dict):
        raise PolicyError(source, [Problem("", "is not a map of settings", location=f"{source}:1")])
    return Document(source, values, locations)


def _read_directory(path: Path) -> Document:
    root = _read_file(path / "policy.yaml")
    values, locations = dict(root.values), dict(root.locations)
    parts: list[tuple[tuple[str, ...], Path]] = [
        ((file.stem,), file) for file in sorted(path.glob("*.yaml")) if file.name != "policy.yaml"
    ]
    parts += [
        (("content", file.parent.name, file.stem), file) for file in sorted(path.glob("content/*/*.yaml"))
    ]
    for place, file in parts:
        part = _read_file(file)
        target = values
        for key in place[:-1]:
            target = target.setdefault(key, {})
        if place[-1] in target:
            problem = Problem(".".join(place), "is set in policy.yaml as well", "keep one", _display(file))
            raise PolicyError(_display(path), [problem])
        target[place[-1]] = part.values
        locations.update({place + below: where for below, where in part.locations.items()})
    return Document(_display(path), values, locations)


def _display(path: Path) -> str:
    """A name for messages: relative to the shipped policies or the working directory, if it lies there."""
    for anchor in (policies_directory(), Path.cwd()):
        if path.resolve().is_relative_to(anchor):
            return str(path.resolve().relative_to(anchor))
    return str(path)
