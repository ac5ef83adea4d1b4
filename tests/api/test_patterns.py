"""What people read where a text is not like its pattern: words, whichever door it came through."""

import re
from importlib import import_module
from typing import Annotated

import pytest
import typer
from pydantic import BaseModel, StringConstraints, ValidationError, create_model

from aggregates.values.patterns import declared, pattern
from api.application.settings import faults_of
from api.cli.opening import command_of
from api.http.problems import from_errors

import_module("api.http.app")
DECLARED = declared()
NO_WORDS = re.compile(r"\^|\$$|[\[\]{}()\\|*+?]")
"""What patterns are written with."""
NEVER = "\x07"


def error_of(regex: str) -> tuple[type[BaseModel], ValidationError]:
    model = create_model("Said", it=(Annotated[str, StringConstraints(pattern=regex)], ...))
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"it": NEVER})
    return model, refused.value


def test_patterns_are_declared():
    assert len(DECLARED) > 10


@pytest.mark.parametrize("regex", DECLARED)
def test_a_refusal_says_in_words_what_was_expected(regex: str):
    model, error = error_of(regex)
    words = f"it: expected {DECLARED[regex]}"
    assert from_errors(error.errors()).detail == words
    assert faults_of(error, None) == words
    with pytest.raises(typer.BadParameter) as refused:
        command_of(model, {}, it=NEVER)
    assert refused.value.message == f"--{words}"
    assert not NO_WORDS.search(words)


def test_a_pattern_has_one_meaning():
    with pytest.raises(ValueError, match="declared already"):
        pattern(next(iter(DECLARED)), "something else")
