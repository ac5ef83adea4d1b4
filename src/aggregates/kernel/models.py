"""When models are built: at their first use, so that a command builds only what it uses of hundreds.

`defer_build` on the bases of events, commands, values, aggregates and answers says so. pydantic builds a model once,
whoever uses it first at the same time (from 2.14).
"""

from collections.abc import Iterator

from pydantic import BaseModel


def build_as_declared() -> None:
    """From now on models are built when they are declared, and adapters of any model when they are made.

    For HTTP: FastAPI makes an adapter for each body and answer, and those are not to be built by the first requests.
    """
    for model in _below(BaseModel):
        model.model_config.pop("defer_build", None)


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
