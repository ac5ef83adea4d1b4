"""The language of templates: what it has, that it has nothing else, and that whoever writes wrongly is told where."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.delivery.languages import language_of
from adapters.delivery.opt_out import opt_out_line
from adapters.delivery.placeholders import FILTERS, INVOICE, LOOP, PLACEHOLDERS, Kind, example_values
from adapters.delivery.rendering_process import filled_in
from adapters.delivery.templates import DEEPEST, MOST_CHARACTERS, MOST_FAULTS, MOST_PARTS, compiled, faults
from aggregates.values.contact import Channel
from tests.adapters.delivery.hostile import HOSTILE, TOO_LONG

DOCS = Path(__file__).parents[3] / "docs"
MOST = 100_000


def written(text: str) -> str:
    answer = filled_in([text], example_values(), MOST)
    assert "texts" in answer, answer
    return str(answer["texts"][0])


# --- what there is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dear {{ customer_name }},", "Dear Ironbridge Machine Works Inc.,"),
        ("{{ amount_due }} {{ oldest_due_on }} {{ days_past_due }}", "9384.99 2026-08-11 102"),
        ('{{ amount_due|amount("1,234.50") }}', "9,384.99"),
        ('{{ amount_due|amount("1.234,50") }}', "9.384,99"),
        ('{{ amount_due|amount("1 234,50") }}', "9\N{NO-BREAK SPACE}384,99"),
        ('{{ amount_due|amount("1234,50") }}', "9384,99"),
        ('{{ oldest_due_on|date("DD.MM.YYYY") }}', "11.08.2026"),
        ('{{ oldest_due_on|date("MM/DD/YYYY") }}', "08/11/2026"),
        ("{{ customer_name|upper|trim }}", "IRONBRIDGE MACHINE WORKS INC."),
        ("{{ invoices|length }}", "2"),
        ("{% if amount_due > 100 and not days_past_due < 30 %}a{% elif office == 'x' %}b{% else %}c{% endif %}", "a"),
        ("{{ 'first' if days_past_due == 102 else 'second' }}", "first"),
        (
            "{% for i in invoices %}{{ i.number }}{% if not loop.last %}, {% endif %}{% endfor %}",
            "104168-04, 104168-05",
        ),
        ("{%- for i in invoices %}\n{{ loop.index }}: {{ i.open }}\n{%- endfor %}", "\n1: 4779.73\n2: 4605.26"),
        ("{# for the translator #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)
def test_a_text_has_placeholders_conditions_filters_and_a_loop_over_invoices(text: str, expected: str):
    assert faults(text) == ()
    assert written(text) == expected


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_every_placeholder_can_be_named(name: str):
    text = f"{{{{ {name}|length }}}}" if PLACEHOLDERS[name].kind is Kind.INVOICES else f"{{{{ {name} }}}}"
    assert written(text)


@pytest.mark.parametrize("field", INVOICE)
def test_every_field_of_an_invoice_can_be_named(field: str):
    assert written(f"{{% for invoice in invoices %}}{{{{ invoice.{field} }}}}{{% endfor %}}")


@pytest.mark.parametrize("name", FILTERS)
def test_every_option_of_every_filter_writes_something(name: str):
    taken = next(each for each in PLACEHOLDERS.values() if each.kind is FILTERS[name].takes)
    for said in [f'("{option}")' for option in FILTERS[name].options] or [""]:
        assert written(f"{{{{ {taken.name}|{name}{said} }}}}")


def test_the_manual_names_everything_that_there_is():
    rows = re.findall(r"^\| `([^`]+)` \| ", (DOCS / "campaigns.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {row.partition("(")[0].removeprefix("\\") for row in rows}
    wanted = {*PLACEHOLDERS, *(f"invoice.{each}" for each in INVOICE), *(f"loop.{each}" for each in LOOP)}
    assert wanted | {f"|{each}" for each in FILTERS} <= named


def test_a_text_is_compiled_once():
    assert compiled("Dear {{ customer_name }}") is compiled("Dear {{ customer_name }}")


# --- that there is nothing else ----------------------------------------------------------------------


@pytest.mark.parametrize("text", [*HOSTILE.values(), *TOO_LONG.values()], ids=[*HOSTILE, *TOO_LONG])
def test_nothing_else_is_taken_and_nothing_of_it_is_run(text: str):
    found = faults(text)
    assert found
    assert all(each.line >= 1 and each.expected for each in found)
    assert filled_in([text], example_values(), MOST)["code"] == "bad-template"


def test_there_are_many_hostile_texts():
    assert len(HOSTILE) + len(TOO_LONG) >= 40
    assert all(len(text) <= MOST_CHARACTERS for text in HOSTILE.values())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("Dear\n{{ customer }}", 2, "there is no placeholder 'customer'; close to it: customer_name"),
        ("{{ zebra }}", 1, "expected one of customer_name, account_number"),
        ("{{ amount_due|amounts }}", 1, "close to it: amount"),
        ("{% for i in invoices %}\n\n{{ i.numbr }}{% endfor %}", 3, "there is no field 'numbr'; close to it: number"),
        ("{% for i in invoices %}{{ i }}{% endfor %}", 1, "expected one of i.number, i.due_on, i.open"),
        ("a\nb\n{% if office %}", 3, "'endif'"),
        ('{{ oldest_due_on|date("D.M.YY") }}', 1, 'expected |date("YYYY-MM-DD") or |date("DD.MM.YYYY")'),
        ("{{ customer_name|date }}", 1, "expected a day before |date"),
        ("{{ customer_name|upper(1) }}", 1, "expected |upper with nothing after it"),
        ("{{ office if amount_due }}", 1, "expected … if … else …"),
        ("{{ 1 + 1 }}", 1, "a calculation is not known here"),
        (HOSTILE["brackets in brackets"], 1, f"at most {DEEPEST} deep"),
        ("{% if office %}" * (DEEPEST + 1) + "{% endif %}" * (DEEPEST + 1), 1, f"at most {DEEPEST} deep"),
        ("{{ " + " or ".join(["office"] * (DEEPEST + 2)) + " }}", 1, f"at most {DEEPEST} deep"),
        ("\n" + "{{ office }}" * (MOST_PARTS + 1), 2, f"at most {MOST_PARTS} placeholders"),
        ("{{ amount_due < oldest_due_on }}", 1, "an amount and a day cannot be compared so"),
    ],
)
def test_whoever_writes_wrongly_is_told_in_which_line_and_what_was_expected(text: str, line: int, said: str):
    first = faults(text)[0]
    assert first.line == line
    assert said in first.expected


def test_everything_that_is_wrong_is_said_at_once():
    assert [each.line for each in faults("{{ a }}\n{{ b }}\nwell\n{{ 1/0 }}")] == [1, 2, 4]
    assert len(faults("{{ a }}" * 100)) == MOST_FAULTS


def test_a_text_becomes_no_longer_than_it_may():
    text = "{% for i in invoices %}" + "x" * 1_000 + "{% endfor %}"
    many = {**example_values(), "invoices": example_values()["invoices"] * 1_000}
    assert filled_in([text], many, MOST) == {"code": "text-too-long", "detail": "more than 100,000 characters"}


# --- any text ----------------------------------------------------------------------------------------

TEXT_VALUES = [name for name, each in PLACEHOLDERS.items() if each.kind is not Kind.INVOICES]
NUMBERS = st.integers(0, 10**12).map(str)
CONDITIONS = st.recursive(
    st.sampled_from(["office", "invoices", "days_past_due"])
    | st.builds("{} {} {}".format, st.sampled_from(["amount_due", "days_past_due"]),
                st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), NUMBERS),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
    | st.builds("not {}".format, inner),
    max_leaves=6,
)  # fmt: skip
WRITTEN = st.one_of(
    st.sampled_from(TEXT_VALUES),
    st.builds('amount_due|amount("{}")'.format, st.sampled_from(FILTERS["amount"].options)),
    st.builds('oldest_due_on|date("{}")'.format, st.sampled_from(FILTERS["date"].options)),
    st.builds("customer_name|{}".format, st.sampled_from(["upper", "lower", "title", "capitalize", "trim"])),
)
PLAIN = st.text(st.characters(exclude_characters="{}%#", exclude_categories=["Cs"]), max_size=30)
PARTS = st.recursive(
    PLAIN | WRITTEN.map("{{{{ {} }}}}".format),
    lambda inner: (
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, CONDITIONS, inner, inner)
        | st.lists(inner, max_size=4).map("".join)
    ),
    max_leaves=15,
)
ALLOWED = st.builds(
    "{}{{% for each in invoices %}}{}{{{{ each.open }}}}{{% endfor %}}{}".format, PARTS, PARTS, PARTS
) | PARTS  # fmt: skip
PIECES = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", "if", "for", "in", "endif", "endfor", "else", "elif", "invoices", "invoice",
     "office", "amount_due", ".", "|", "(", ")", "[", "]", "'", '"', "**", "*", "+", "~", "range", "loop", "9", "not",
     "and", "is", "set", "macro", "=", ",", " ", "\n", "__class__", "upper", "date"]
)  # fmt: skip
ANYTHING = st.lists(PIECES, max_size=60).map(" ".join) | st.text(max_size=200)


@given(ALLOWED)
def test_what_is_allowed_is_written_within_its_limits(text: str):
    assert faults(text) == ()
    answer = filled_in([text], example_values(), MOST)
    assert len(answer["texts"][0]) <= MOST


@given(ANYTHING)
def test_any_text_is_written_or_refused_with_the_line_of_the_fault(text: str):
    found = faults(text)
    answer = filled_in([text], example_values(), MOST)
    assert ("texts" in answer) == (not found)
    assert all(1 <= each.line <= len(re.split("\r\n|\r|\n", text)) and each.expected for each in found)


def test_a_text_at_every_limit_is_written():
    assert written("{{ office }}" * MOST_PARTS)
    assert written("{% if office %}" * DEEPEST + "x" + "{% endif %}" * DEEPEST) == "x"
    assert written("{% if not office %}a" + "{% elif not office %}b" * 165 + "{% else %}c{% endif %}") == "c"


# --- languages ---


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "1234.50 2026-08-01 1000"),
        ("en-GB", "1234.50 2026-08-01 1000"),
        ("de", "1.234,50 01.08.2026 1.000"),
        ("de-CH", "1'234.50 01.08.2026 1'000"),
        ("fr", "1 234,50 1 août 2026 1 000"),
        ("xx", "1234.50 2026-08-01 1000"),
    ],
)
def test_amounts_and_days_are_written_in_the_language_of_the_text(language: str, said: str):
    """With as many places as the currency has."""
    values = {**example_values(), "amount_due": "1234.50", "oldest_due_on": "2026-08-01"}
    values["invoices"] = [{"number": "I-1", "due_on": "2026-08-01", "open": "1000"}]
    text = "{{ amount_due }} {{ oldest_due_on }} {% for each in invoices %}{{ each.open }}{% endfor %}"
    [written] = filled_in([text], values, MOST, language)["texts"]
    assert written.replace("\u202f", " ").replace("\u00a0", " ") == said


def test_what_a_filter_wrote_and_what_is_compared_does_not_depend_on_the_language():
    written = "{{ amount_due|amount('1,234.50') }} {{ oldest_due_on|date('YYYY-MM-DD') }}"
    text = written + "{% if amount_due > 1000 %} much{% endif %}"
    values = {**example_values(), "amount_due": "1234.50", "oldest_due_on": "2026-08-01"}
    assert filled_in([text], values, MOST, "de")["texts"] == ["1,234.50 2026-08-01 much"]


def test_a_german_customer_reads_an_english_text_in_english_and_an_austrian_one_a_german_text_as_in_austria():
    assert language_of("en", "de") == "en"
    assert language_of("de", "de-AT") == "de-AT"
    assert language_of("de-CH", "de-AT") == "de-CH"


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL])
def test_the_line_that_tells_how_to_opt_out_is_in_the_language_of_the_text(channel: Channel):
    english = opt_out_line(channel, "en")
    assert english is not None
    assert opt_out_line(channel, "de-AT") not in (None, english)
    assert opt_out_line(channel, "fi") == english
    assert opt_out_line(Channel.LETTER, "de") is None
