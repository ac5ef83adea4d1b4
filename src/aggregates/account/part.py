"""What the parts of an account share."""

from aggregates.kernel.aggregate import Part
from aggregates.kernel.refusals import Refusal


class AccountPart(Part):
    """One subject of the account."""

    def require_account(self) -> None:
        """Refuses where the account was never opened."""
        if not self.whole.exists:
            raise Refusal("unknown-account", "there is no such account")
