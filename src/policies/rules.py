"""The rules that decisions ask; `adapters.rules` adds the one that needs a library, and hands all to the write path."""

from aggregates.account.chase import JUDGE
from aggregates.account.messages import CLAIMS, MAY_CONTACT
from aggregates.kernel.context import Rules
from policies.auto_collection import claims, judge
from policies.contact_rules import contact_rules

RULES: Rules = {JUDGE: judge, MAY_CONTACT: contact_rules, CLAIMS: claims}
