"""The policy: its loading, checking, content and compliance windows.

`load("care")` gives a policy that has passed every check, or raises with all that is wrong with it.
"""

from streams.policy.documents import shipped_names
from streams.policy.errors import PolicyError, Problem, RenderError
from streams.policy.loading import LoadedPolicy, load

__all__ = ["LoadedPolicy", "PolicyError", "Problem", "RenderError", "load", "shipped_names"]
