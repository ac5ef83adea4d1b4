"""When models are built: by one command those that it uses, when it does; by a process that goes on all of them first.

`defer_build` on the bases of events, commands, values, aggregates and answers says the former: to build all of them is
a third of a command's start. pydantic builds a model once, whoever uses it at the same time (from 2.14).
"""

from collections.abc import Iterator

from pydantic import BaseModel


def build_models() -> None:
    """Builds every model that is there, and from now on each as it is declared: no request waits for its first use."""
    for model in _below(BaseModel):
        if model.model_config.get("defer_build"):
            model.model_config["defer_build"] = False
            model.model_rebuild()


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
