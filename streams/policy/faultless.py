"""The generated file of verdicts on the shipped policies' texts: see `content_verdicts`."""

from streams.policy.content_checks import content_problems
from streams.policy.content_verdicts import Verdicts, judged_by
from streams.policy.documents import find, read, shipped_names
from streams.policy.loading import read_policy


def render() -> str:
    """Who judged, and the fingerprints of all texts and blocks without fault, each on a line."""
    verdicts = Verdicts()
    for name in shipped_names():
        policy, content = read_policy(read(find(name)).values)
        # Faults are told where the policy is loaded; here they only earn no line.
        list(content_problems(policy, content, verdicts))
    return "\n".join([judged_by(), *sorted(verdicts.faultless)]) + "\n"
