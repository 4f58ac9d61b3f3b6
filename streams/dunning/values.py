"""The kinds of value that a policy's settings have; the policy's JSON Schema says them to editors."""

from typing import Annotated

from msgspec import Meta

StepId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="Names the step in commands.")]
TemplateName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A template's name.")]
SegmentName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A segment's name.")]
CurrencyCode = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")]
MinorUnits = Annotated[int, Meta(ge=0, description="ISO 4217 minor units.")]
Days = Annotated[int, Meta(ge=0, le=400, description="Whole local days.")]
Count = Annotated[int, Meta(ge=0, le=10_000)]
PositiveCount = Annotated[int, Meta(ge=1, le=10_000)]
Score = Annotated[int, Meta(ge=0, le=100, description="A risk score, or points of one.")]
LocalTime = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time of day, HH:MM.")
]
ZoneName = Annotated[str, Meta(min_length=1, description="IANA time zone.")]
