"""How the pages write what they show: text that people typed, numbers, ages, objectives."""

import re
from collections.abc import Mapping

from pydantic import ValidationError

from infovae_core.choices import called
from infovae_core.objectives import OBJECTIVES

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&^=])")
_WIRED = re.compile(r"[\\`*\[\]<>!$]")  # what pictures, links, code, stress and formulas need
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def plain(text: str) -> str:
    """Text that Markdown shows as it was typed.

    A backslash stops everything but Streamlit's own :directives:, whose colon it lets through; an
    invisible word joiner after the colon stops those.
    """
    return _MARKUP.sub(r"\\\1", " ".join(text.split())).replace(":", ":\u2060")


def label(text: str) -> str:
    """Text for a label, which is read aloud as it stands: no markup and no backslashes."""
    return " ".join(_WIRED.sub(" ", text).split()).replace(":", ":\u2060")


def short(text: str, length: int) -> str:
    """Text cut to so many characters."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def formula(latex: str) -> str:
    """A small formula, as Markdown; its lines break between terms, not inside parentheses."""
    whole = re.sub(r"\([^()]*\)", lambda match: f"{{{match[0]}}}", latex)
    return rf"$\small {whole}$"


def number(value: float | None) -> str:
    """Three significant digits; a dash for what is not known."""
    if value is None:
        return "–"
    if abs(value) < 1000:
        return f"{value:.3g}".replace("-", "−")
    return f"{value:,.0f}".replace("-", "−")


def symbol(label: str) -> str:
    """The short name of a logged quantity: 'distortion D' is D, 'MMD²(q(z), p(z))' is MMD²."""
    brief = label.replace("KL(q(z) ‖ p(z))", "KLz").removesuffix("(q(z), p(z))")
    last = brief.rpartition(" ")[2]
    return last if len(last) == 1 and last.isupper() else brief


def of_points(text: str) -> str:
    """A text about images as it is said of points: 'an image' is 'a point'."""

    def swap(match: re.Match) -> str:
        article, plural = match[1], match[2]
        return f"{'a ' if article else ''}point{plural}"

    return re.sub(r"\b(an )?image(s?)\b", swap, text)


def ago(seconds: float | None) -> str:
    """How long ago something was, in its largest unit: '3 min ago'."""
    if seconds is None:
        return "–"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def changes(said: Mapping[str, tuple]) -> str:
    """Settings and what becomes of them: 'λ 10 → 50, Kernel RBF → IMQ'."""

    def value(value: object) -> str:
        return number(value) if isinstance(value, float) else str(value)

    return ", ".join(f"{title} {value(old)} → {value(new)}" for title, (old, new) in said.items())


def objective(record: Mapping) -> tuple[str, str]:
    """Title and settings of a stored objective: ('InfoVAE', 'α 0, λ 10, Stein').

    Coefficients are said in any case, choices where they are not the default.

    A record that this version does not understand keeps its name.
    """
    name = str(record.get("name", "?"))
    cls = OBJECTIVES.get(name)
    if cls is None:
        return name, ""
    try:
        made = cls.model_validate(record)
    except ValidationError:
        return cls.title, ""
    settings = []
    for key, field in cls.model_fields.items():
        value = getattr(made, key)
        if isinstance(value, float):
            settings.append(f"{field.title} {number(value)}")
        elif isinstance(value, str) and value != field.default:
            settings.append(called(field, value))
    return cls.title, ", ".join(settings)
