"""What can be wrong with a policy, in words for the people who write it."""

from collections.abc import Sequence

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One thing that is wrong, or (as a warning) worth a second look.

    `path` leads to it in the document (`campaigns.standard.ladder[3].day`), `hint` says what to do, and
    `location` is the file and line that says it, where that is known.
    """

    path: str
    message: str
    hint: str = ""
    location: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        location = f" [{self.location}]" if self.location else ""
        return f"{where}{self.message}{hint}{location}"


class PolicyError(Exception):
    """A policy cannot be used. `problems` holds everything that was found, not only the first."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = [f"{source}: {count} problem{'' if count == 1 else 's'}"]
        lines.extend(f"  {problem}" for problem in self.problems)
        super().__init__("\n".join(lines))


class RenderError(Exception):
    """A message could not be written from its template: a defect of the policy or of the command.

    A policy that loads has rendered every template with samples, so this means that the command lacks a
    variable that its kind of message promises.
    """

    def __init__(self, *, template: str, channel: str, locale: str, reason: str) -> None:
        self.template = template
        self.channel = channel
        self.locale = locale
        self.reason = reason
        super().__init__(f"template {template} ({channel}, {locale}) cannot be rendered: {reason}")
