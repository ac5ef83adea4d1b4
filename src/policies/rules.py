"""The rules that decisions ask; `adapters.rules` adds the one that needs a library, and hands all to the write path."""

from aggregates.account.chase import JUDGE
from aggregates.account.contact_history import MAY_CONTACT
from aggregates.account.messages import CLAIMS
from aggregates.kernel.context import Rules
from aggregates.office import CONTACT_SETTING_RULES
from policies.auto_collection import claims, judge
from policies.contact_rules import contact_rules, setting_faults

RULES: Rules = {JUDGE: judge, MAY_CONTACT: contact_rules, CLAIMS: claims, CONTACT_SETTING_RULES: setting_faults}
