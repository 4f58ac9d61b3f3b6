"""What the `dunning` command ends with: numbers that scripts and supervisors may rely on."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command. `dunning worker` adds those of the engine, 70 to 84."""

    OK = 0
    FAILED = 1
    USAGE = 2
    HISTORY = 3
    POLICY = 4
    SETTINGS = 5
    BROKER = 6
    TOPICS = 7
    NO_WORKER = 8
    LOCAL_KAFKA = 9
    REGISTRY = 10
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done; also when the reader of a pipe, such as `head`, has seen enough",
    ExitCode.FAILED: "a file could not be read or written, or something the command checks is not so",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.HISTORY: "a history has bad lines; each is named by file, line and field",
    ExitCode.POLICY: "a policy is not found or has problems; each is named by its path",
    ExitCode.SETTINGS: "a `DUNNING_*` setting is wrong",
    ExitCode.BROKER: "Kafka cannot be reached, or refuses",
    ExitCode.TOPICS: "topics are missing, not as they should be, or not fit for what is asked",
    ExitCode.NO_WORKER: "no worker makes progress, or the demo's worker ended",
    ExitCode.LOCAL_KAFKA: "the local Kafka could not be started or stopped",
    ExitCode.REGISTRY: "the schema registry cannot be reached, refuses, or does not hold what it should",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C; the demo also by SIGTERM)",
}
