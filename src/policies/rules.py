"""The rules that decisions ask; `adapters.rules` adds the one that needs a library, and hands all to the write path."""

from aggregates.account.chase import JUDGE
from aggregates.account.contact_history import MAY_CONTACT
from aggregates.account.messages import WRITTEN_ABOUT
from aggregates.kernel.context import Rules
from aggregates.office import CONTACT_SETTING_RULES
from policies.auto_collection import judge, written_about
from policies.contact_rules import contact_rules, setting_faults

RULES: Rules = {
    JUDGE: judge,
    MAY_CONTACT: contact_rules,
    WRITTEN_ABOUT: written_about,
    CONTACT_SETTING_RULES: setting_faults,
}
