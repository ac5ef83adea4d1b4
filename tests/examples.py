"""How many examples a property is tried with: all of them in `./dev test`, a quarter in `./dev unit`.

`tests/conftest.py` imports this, so that the profiles are there before the first test is read.
"""

from hypothesis import HealthCheck, settings

FEWEST = 10

settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No test depends on how quick the machine is."""
settings.register_profile("unit", settings.get_profile("all"), max_examples=25)
"""Of `./dev unit`, which passes `--hypothesis-profile=unit`."""
settings.load_profile("all")


def examples(full: int) -> int:
    """`full`, which is what `./dev test` tries; of a profile of fewer than a hundred, as many of each hundred."""
    return min(full, max(FEWEST, full * settings().max_examples // 100))
