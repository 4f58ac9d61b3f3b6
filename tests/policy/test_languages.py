"""What care says in each of its languages and tones: never a threat, never a promise that cannot be kept."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from streams.dunning.audience import Tone
from streams.dunning.commands import NotificationCommand
from streams.dunning.events import Channel
from streams.dunning.told_reasons import ToldReason
from streams.policy import LoadedPolicy
from streams.policy.message_length import sms_size
from streams.policy.samples import samples
from streams.policy.usage import Use, reachable_channels, uses

LOCALES = {"en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "ja": "ja-JP"}


def messages(
    care: LoadedPolicy, language: str, template: str = "", *channels: Channel
) -> Iterator[NotificationCommand]:
    """Every message of a language that the policy can send, with every sample, in every tone."""
    seen: dict[str, Use] = {use.template: use for use in uses(care.policy)}
    for use in seen.values():
        if use.template.endswith(template):
            for channel in channels or tuple(Channel):
                for command in samples(use, channel, LOCALES[language]):
                    for tone in Tone:
                        yield care.render(msgspec.structs.replace(command, tone=tone.value))


def text_of(command: NotificationCommand) -> str:
    return f"{command.subject or ''}\n{command.body}"


def test_every_message_is_written_in_every_language(care: LoadedPolicy) -> None:
    assert set(care.content.texts) == set(LOCALES)
    for language in LOCALES:
        for use in uses(care.policy):
            for channel in reachable_channels(care.policy, use):
                assert care.content.find(use.template, channel, LOCALES[language])[0] == language
        names = {frozenset(care.content.blocks[each]) for each in LOCALES}
        assert len(names) == 1, "the languages share their blocks' names"


@pytest.mark.parametrize("language", LOCALES)
def test_every_message_is_whole(care: LoadedPolicy, language: str) -> None:
    for command in messages(care, language):
        text = text_of(command)
        assert not re.search(r"None|\{\{|\{%|\n\n\n|[ \t]\n|  | [,.] ", text), text
        assert len(command.body) > 25
        assert command.body == command.body.strip()
        assert (command.html_body is not None) is (command.channel is Channel.EMAIL)
        if command.channel is Channel.SMS:
            assert sms_size(command.body).segments <= 3


NEVER: dict[str, dict[str, str]] = {
    # What accuses, presses, or speaks to a customer as one does to a friend.
    "de": {
        "": r"!|\b(du|dich|dir|dein\w*|euch|euer)\b"
        r"|Mahnung|Inkasso|\bSchuld(?!igung)|sofort zahlen|müssen Sie",
        "_hard": r"noch einmal|erneut|gestohlen|verloren|Betrug|gesperrt",
        "_authentication": r"(neue|andere) (Karte|Zahlungsart)|aktualisieren|abgelaufen",
        "new_card_failed": r"noch einmal|erneut|gestohlen|Betrug",
        "final_notice": r"noch einmal|Anwalt|Inkasso|gerichtlich|unverzüglich",
    },
    "fr": {
        "": r"\s!|!\s|\b(tu|toi|ton|tes|votre faute)\b|mise en demeure|dette|contentieux|devez",
        "_hard": r"nouvel essai|nouvelle tentative|réessay|volée|perdue|fraude|bloquée",
        "_authentication": r"(nouvelle|autre) carte|mettre à jour|expirée",
        "new_card_failed": r"nouvel essai|réessay|volée|fraude",
        "final_notice": r"nouvel essai|avocat|huissier|immédiatement",
    },
    "es": {
        "": r"!|¡|\b(tú|tu|tus|te|contigo|vosotros|vuestr\w+)\b|deuda|moros|debe pagar|embargo",
        "_hard": r"de nuevo|reintent|robad|perdid|fraude|bloquead",
        "_authentication": r"(nueva|otra) tarjeta|tarjeta nueva|actualic|caducad",
        "new_card_failed": r"de nuevo|reintent|robad|fraude",
        "final_notice": r"de nuevo|abogad|judicial|inmediatamente",
    },
    "ja": {
        "": r"\uff01|督促|債務|滞納|法的|あなた|(?<!で)しろ|払え",
        "_hard": r"改めて|再度|再び|盗難|紛失|不正",
        "_authentication": r"新しいカード|別のカード|期限が過ぎ",
        "new_card_failed": r"改めて|再度|盗難|不正",
        "final_notice": r"改めて|弁護士|訴訟|直ちに",
    },
}


@pytest.mark.parametrize(("language", "template"), [(each, name) for each in NEVER for name in NEVER[each]])
def test_what_a_message_never_says(care: LoadedPolicy, language: str, template: str) -> None:
    for command in messages(care, language, template):
        found = re.search(NEVER[language][template], text_of(command), re.IGNORECASE)
        assert found is None, f"{command.template} by {command.channel}, {command.tone}: {found}"


ALWAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "de": {
        "_soft": (r"98,01", r"noch einmal"),
        "_hard": (r"98,01", r"[Nn]eue (Karte|Zahlungsart)", r"Hilfe|helfen|hilft|frag|Frag|vereinbart"),
        "_authentication": (r"98,01", r"bestätig", r"Ordnung|frag|Frag|Hilfe"),
        "final_notice": (
            r"23\. \w+ 2026",
            r"ausgesetzt",
            r"[Bb]?[Zz]ahl",
            r"sprech|antwort|Antwort|schreib|helf|melde",
        ),
        "suspension_apology": (r"[Ee]ntschuldig", r"wieder aktiv|Fehler"),
        "renewal_upcoming": (r"23\. \w+ 2026", r"1\.234,56\s\$", r"[Kk]ünd", r"Zahlungsart"),
        "card_expiring": (r"4242|bald ab", r"September 2027"),
    },
    "fr": {
        "_soft": (r"98,01", r"nouvel essai|Nouvel essai"),
        "_hard": (r"98,01", r"(nouvelle|une) carte", r"aide|question|convenu"),
        "_authentication": (r"98,01", r"[Cc]onfirm", r"aide|question|protège"),
        "final_notice": (r"23 \w+ 2026", r"suspendu", r"[Pp](ay|ai)", r"parl|répond|Répond|écriv|aider|dire"),
        "suspension_apology": (r"excuses", r"actif|erreur"),
        "renewal_upcoming": (r"23 \w+ 2026", r"1[\s\u202f]234,56", r"[Rr]ésili", r"moyen de paiement"),
        "card_expiring": (r"4242|bientôt", r"septembre 2027"),
    },
    "es": {
        "_soft": (r"98,01", r"de nuevo"),
        "_hard": (r"98,01", r"(una|otra) tarjeta", r"ayuda|pregunta|acuerde"),
        "_authentication": (r"98,01", r"[Cc]onfirm", r"ayuda|pregunta|orden"),
        "final_notice": (
            r"23 de \w+ de 2026",
            r"suspendida",
            r"[Pp]ag",
            r"habl|respond|Respond|escrib|dígan|ayud",
        ),
        "suspension_apology": (r"[Dd]isculp", r"activ|error"),
        "renewal_upcoming": (r"23 de \w+ de 2026", r"1\.?234,56", r"[Cc]ancelar", r"forma de pago"),
        "card_expiring": (r"4242|pronto", r"septiembre de 2027"),
    },
    "ja": {
        "_soft": (r"98\.01", r"改めて"),
        "_hard": (r"98\.01", r"カード", r"ご相談|お問い合わせ|返信|サポート|ご提案"),
        "_authentication": (r"98\.01", r"承認", r"ご相談|お問い合わせ|返信|サポート|お待ち"),
        "final_notice": (r"2026年\d+月23日", r"一時停止", r"お支払い", r"ご相談|ご返信|ご連絡"),
        "suspension_apology": (r"お詫び|申し訳", r"再開|誤って"),
        "renewal_upcoming": (r"2026年\d+月23日", r"1,234\.56", r"解約", r"お支払い方法"),
        "card_expiring": (r"4242", r"2027年9月末"),
    },
}


@pytest.mark.parametrize(("language", "template"), [(each, name) for each in ALWAYS for name in ALWAYS[each]])
def test_what_a_message_always_says(care: LoadedPolicy, language: str, template: str) -> None:
    for command in messages(care, language, template):
        for pattern in ALWAYS[language][template]:
            assert re.search(pattern, text_of(command)), f"{pattern}: {command.channel}, {text_of(command)}"


def test_french_sets_a_space_that_does_not_break_before_its_high_points(care: LoadedPolicy) -> None:
    for command in messages(care, "fr"):
        if command.channel is not Channel.SMS:
            assert not re.search(r"(?<![\u00a0\u202f\d/ps])[:;?»](?!/)", text_of(command)), command.body
            assert "'" not in text_of(command)


@pytest.mark.parametrize("language", LOCALES)
def test_the_reason_is_told_where_there_is_one_and_only_in_private(care: LoadedPolicy, language: str) -> None:
    """A mail, a letter or a call; what lights up on a screen that others see says less."""
    told: dict[str, set[str]] = {}
    for template in ("payment_failed_soft", "payment_failed_hard"):
        for command in messages(care, language, template, Channel.EMAIL, Channel.SMS, Channel.PUSH):
            if command.tone == Tone.FORMAL and "card_last4" in command.variables:
                private = command.channel is Channel.EMAIL
                reason = command.variables.get("reason", "")
                told.setdefault(f"{template} {private} {reason}", set()).add(command.body)
        open_ones = [
            bodies for key, bodies in told.items() if key.startswith(f"{template} True") and key[-1] != " "
        ]
        assert len(open_ones) == len(ToldReason)
        assert len(set.union(*open_ones)) >= len(ToldReason), "each reason has words of its own"


@pytest.mark.parametrize("language", LOCALES)
def test_tones_say_the_same_in_other_words(care: LoadedPolicy, language: str) -> None:
    for use in {use.template: use for use in uses(care.policy)}.values():
        command = max(samples(use, Channel.EMAIL, LOCALES[language]), key=lambda each: len(each.variables))
        bodies = {tone: care.render(msgspec.structs.replace(command, tone=tone.value)).body for tone in Tone}
        assert len(set(bodies.values())) == len(Tone)
        assert len(bodies[Tone.SHORT]) == min(map(len, bodies.values()))
