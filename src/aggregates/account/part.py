"""What the parts of an account share."""

from aggregates.kernel.aggregate import Aggregate, Part
from aggregates.kernel.context import Context
from aggregates.kernel.refusals import Refusal


class AccountPart(Part):
    """One subject of the account."""

    __slots__ = ()

    def require_account(self) -> None:
        """Refuses where the account was never opened."""
        if not self.whole.exists:
            raise Refusal("unknown-account", "there is no such account")

    def others(self, context: Context) -> list[Aggregate]:
        """The other accounts of the customer, to be changed with this one. Raises KeyError where the command that is
        decided does not declare that it reaches them."""
        return [context.seen[link.id] for link in self.whole.links() if link.kind == self.whole.kind]

    def join(self, others: list[Aggregate], context: Context) -> None:
        """The account turned out to have others of its customer: what holds for all of them, all of them are told."""
