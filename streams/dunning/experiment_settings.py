"""Experiments: which customers they take, and what each of their arms changes. Part of the policy."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from streams.dunning.audience import Tone
from streams.dunning.events import Channel
from streams.dunning.values import Count, LocalTime, SegmentName, StepId, TemplateName

ExperimentName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Names the experiment in commands and reports.")
]
ArmName = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Names the arm in commands and reports.")
]
Subject = Literal["case", "renewal", "card"]
"""What an experiment is about: open cases, or the reminders before a renewal or of a card."""


class Arm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm. What it does not name is as the policy has it for everybody.

    An arm changes how somebody is spoken to, and never what protects them: windows, the budget of contacts,
    the gate of a suspension and the rules of networks and jurisdictions are the same in every arm. A debt is
    never kept from whom it concerns, so no arm silences a case.
    """

    name: ArmName
    weight: Annotated[
        Count, Meta(description="Its share, in proportion to the other arms' weights; 0 takes nobody new.")
    ] = 1
    holdout: Annotated[
        bool, Meta(description="The arm that the others are compared with: it changes nothing but `silence`.")
    ] = False
    silence: Annotated[
        Literal["renewal", "card", "offer"] | None,
        Meta(
            description="No reminder of this kind, which is refused where a rule in `compliance` asks for "
            "one; or no offer on the reminders of a renewal."
        ),
    ] = None
    campaign: Annotated[
        str | None, Meta(description="The campaign of the case, in place of the segment's.")
    ] = None
    tone: Annotated[Tone | None, Meta(description="The tone, in place of the segment's.")] = None
    templates: Annotated[
        dict[TemplateName, TemplateName],
        Meta(description="The template of the policy to the one that stands in for it."),
    ] = field(default_factory=dict)
    channels: Annotated[
        dict[StepId, tuple[Channel, ...]],
        Meta(description="The reminder's id to its channels; for a case, name a campaign."),
    ] = field(default_factory=dict)
    offer: Annotated[
        str | None, Meta(description="The one offer on a renewal's reminders, in place of the segment's.")
    ] = None
    contact_hour: Annotated[
        LocalTime | None, Meta(description="Local time of all that is not due at once.")
    ] = None

    @property
    def changes(self) -> tuple[str, ...]:
        """The settings that it names."""
        names = ("silence", "campaign", "tone", "templates", "channels", "offer", "contact_hour")
        return tuple(name for name in names if getattr(self, name))


class Experiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A comparison of arms. Who is in which arm follows from the salt and the customer alone."""

    name: ExperimentName
    subject: Annotated[Subject, Meta(description="What joins when it opens: a case, or reminders.")]
    salt: Annotated[
        str | None, Meta(description="Another one deals the customers anew; without it the name.")
    ] = None
    segments: Annotated[
        tuple[SegmentName, ...],
        Meta(description="Only customers who are of these when the case or plan opens; empty: all."),
    ] = ()
    starts_on: Annotated[date | None, Meta(description="The first day (UTC) on which any joins.")] = None
    ends_on: Annotated[
        date | None, Meta(description="The last day (UTC) on which any joins; what runs keeps its arm.")
    ] = None
    arms: Annotated[
        tuple[Arm, ...],
        Meta(min_length=1, description="What is compared; the first is the control unless one is a holdout."),
    ]
    minimum_effect: Annotated[
        float,
        Meta(ge=0.001, le=0.5, description="The difference of rates worth finding: 0.05 is 5 points."),
    ] = 0.05
    confidence: Annotated[float, Meta(ge=0.5, le=0.999, description="Of the interval of a difference.")] = (
        0.95
    )
    power: Annotated[
        float,
        Meta(ge=0.5, le=0.999, description="How surely a sufficient sample shows a `minimum_effect`."),
    ] = 0.8

    @property
    def control(self) -> Arm:
        """The arm that the others are compared with: the holdout, else the first."""
        return next((arm for arm in self.arms if arm.holdout), self.arms[0])

    def runs_on(self, day: date) -> bool:
        """Whether a case or plan that opens on the day (UTC) joins."""
        return (self.starts_on is None or self.starts_on <= day) and (
            self.ends_on is None or day <= self.ends_on
        )


def label(experiment: str, arm: str) -> str:
    """An arm of an experiment as states and counts name it: `experiment:arm`."""
    return f"{experiment}:{arm}"


def by_experiment(labels: tuple[str, ...]) -> dict[str, str]:
    """The arm by experiment, from such labels."""
    return dict(each.split(":", 1) for each in labels)
