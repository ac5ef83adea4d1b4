"""What a customer's message asks for, as far as its words say."""

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from aggregates.values.stop_words import (
    AROUND,
    START,
    STOP,
    STOP_WORDS,
    Request,
    is_one_word,
    media_named,
    request_in,
    without_quotes,
)
from policies.contact import record

_BETWEEN = st.text(st.sampled_from(" \t\n.,;:!?¡¿…*_-'\"()"), min_size=1, max_size=4)
_UNSEEN = st.text(st.sampled_from("\u200b\u200f\u202e\u00ad"), max_size=2)


@st.composite
def _written(draw: st.DrawFn, words: tuple[str, ...]) -> str:
    """One of the words in any case, with any punctuation and white space, among words that change nothing, and with
    signs that nobody sees."""
    around = st.lists(st.sampled_from(AROUND), max_size=3)
    said = " ".join([*draw(around), draw(st.sampled_from(words)), *draw(around)])
    text = draw(_BETWEEN)
    for word in said.split():
        for letter in word:
            text += draw(_UNSEEN) + (letter.upper() if draw(st.booleans()) else letter)
        text += draw(_BETWEEN)
    return text


def test_the_words_of_the_law_are_those_that_the_rules_look_for() -> None:
    assert vars(record)["request_in"] is request_in
    assert set(STOP) > STOP_WORDS
    assert all(is_one_word(each.upper() + "!") for each in STOP_WORDS)
    assert not is_one_word("please stop")


@for_any(_written(STOP))
def test_a_stop_word_is_heeded_in_any_case_with_any_punctuation_and_politeness(text: str) -> None:
    assert request_in(text) is Request.STOP


@for_any(_written(START))
def test_consent_comes_back_by_its_words_alone(text: str) -> None:
    assert request_in(text) is Request.START


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop.", "Stop!!!", "  sToP  ", "STOP STOP STOP", "Opt-Out", "opt out please", "ＳＴＯＰ", "S\u200bTOP",
     "Please stop texting me", "unsubscribe me from these e-mails, thanks", "STOPALL", "Alto", "¡PARAR!",
     "darme de baja por favor", "I want to opt out of your messages"],
)  # fmt: skip
def test_clear(text: str) -> None:
    assert request_in(text) is Request.STOP


@pytest.mark.parametrize(
    "text",
    ["I will stop by on Monday", "don't stop the plan", "When does the plan end?", "STOP or START?",
     "do not contact me again", "leave me alone", "This is the wrong number", "stop calling my mother", "no más"],
)  # fmt: skip
def test_what_may_mean_it_is_for_a_person_to_read(text: str) -> None:
    assert request_in(text) is Request.UNCLEAR


@pytest.mark.parametrize(
    "text",
    ["I withdraw my consent", "Remove my number from your list", "take my number off your list", "REMOVE", "Delete me.",
     "Don't send me any more messages", "no texts", "I no longer want texts", "never contact me again", "opt me out",
     "cease and desist", "I do not consent", "You do not have permission to text me", "do not use this number", "unsub",
     "discontinue messages", "S T O P", "No quiero mensajes", "no me mandes mensajes"],
)  # fmt: skip
def test_other_reasonable_words_may_mean_it_too(text: str) -> None:
    assert request_in(text) is Request.UNCLEAR


@pytest.mark.parametrize(
    "text", ["Please remove the late fee", "I no longer work there", "block 7, flat 2", "delete the second invoice"]
)
def test_what_is_about_something_else_does_not(text: str) -> None:
    assert request_in(text) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [("STOP", set()), ("Stop calling me", {"call"}), ("stop texts and e-mails", {"sms"}), ("no más correos", {"email"}),
     ("Stop emails, calls", {"email", "call"})],
)  # fmt: skip
def test_a_message_names_media(text: str, named: set[str]) -> None:
    assert media_named(text) >= named
    assert bool(media_named(text)) is bool(named)


@pytest.mark.parametrize("text", ["", "...", "I paid on Friday", "nonstop trouble", "Yes", "👍", "please call me"])
def test_everything_else_says_nothing(text: str) -> None:
    assert request_in(text) is None


def test_what_an_answer_quotes_is_not_what_it_says() -> None:
    answer = (
        "I paid yesterday.\n\nOn Mon, 2 Mar 2026 at 10:00, Main office <a@b.example> wrote:\n"
        "> You owe 10.\n> To stop e-mails to this address, reply with UNSUBSCRIBE.\n"
    )
    assert without_quotes(answer) == "I paid yesterday."
    assert without_quotes("UNSUBSCRIBE\n\n-----Original Message-----\nFrom: a@b.example\nYou owe 10.") == "UNSUBSCRIBE"
    assert without_quotes("> quoted\nnew\n> quoted") == "new"
