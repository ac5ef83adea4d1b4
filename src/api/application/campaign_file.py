"""Campaigns as people write them: a TOML file with rules and steps, amounts in major units."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aggregates.campaign import CampaignPlan
from aggregates.values.money import Money
from api.application.settings import model_from, read_toml

_AMOUNTS = ("min_amount", "max_amount")


class CampaignFile(BaseModel):
    """A campaign's title, its office, and what a version of it says; the keys are those of `CampaignPlan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=100)
    office: str = "main"
    rules: Mapping[str, Any] = Field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = Field(min_length=1)
    window: Mapping[str, Any] | None = None
    business_days_only: bool = True
    existing: str | None = None
    """None: from the start in a new campaign; in a revision as it was."""

    def plan(self, currency: str, *, source: Path | None = None) -> CampaignPlan:
        """With amounts in the office's currency. Raises SettingsError."""
        rules = {name: _amount(value, currency) if name in _AMOUNTS else value for name, value in self.rules.items()}
        said = {
            "rules": rules,
            "steps": self.steps,
            "business_days_only": self.business_days_only,
            "existing": self.existing,
        }
        if self.window is not None:
            said["window"] = self.window
        return model_from(CampaignPlan, said, source=source)


def read_campaign(file: Path) -> CampaignFile:
    """Raises SettingsError where the file is not TOML, or a field is not as expected."""
    said = model_from(CampaignFile, read_toml(file), source=file)
    said.plan("USD", source=file)
    return said


def _amount(value: Any, currency: str) -> Any:
    """`min_amount = "25.00"`: in the office's currency; anything else is left for the model to refuse."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            return Money.parse(str(value), currency)
        except ValueError:
            return value
    return value
