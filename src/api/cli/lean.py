"""What libraries would load for themselves, and no command has a use for."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def load_structlog_alone() -> None:
    """From now on structlog is loaded without rich, and the highlighter behind rich's tracebacks, which it takes where
    it finds them. Whoever else asks for rich gets it."""
    sys.meta_path.insert(0, _WithoutRich())


class _WithoutRich(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        asking = sys.modules.get("structlog.dev") if fullname == "rich.console" else None
        if asking is not None and not hasattr(asking, "ConsoleRenderer"):
            raise ModuleNotFoundError(f"{fullname} is not for structlog", name=fullname)
        return None
