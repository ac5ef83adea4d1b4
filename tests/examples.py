"""How many examples a property is tried with: all of them in `./dev test`, a quarter in `./dev unit`.

`tests/conftest.py` registers the profiles, so that they are there before the first test is read.
"""

from hypothesis import HealthCheck, settings

FEWEST = 10


def register_profiles() -> None:
    """`all`: no test depends on how quick the machine is. `unit` is of `./dev unit`, which passes
    `--hypothesis-profile=unit`."""
    settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("unit", settings.get_profile("all"), max_examples=25)
    settings.load_profile("all")


def examples(full: int) -> int:
    """`full`, which is what `./dev test` tries; of a profile of fewer than a hundred, as many of each hundred."""
    return min(full, max(FEWEST, full * settings().max_examples // 100))
