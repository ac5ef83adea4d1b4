"""Contact rules: a contact judged as it is written down, without an account."""

from api.application.contact_check import ContactCase, ContactVerdict, check_contact
from api.http.routing import Router
from api.http.shapes import JsonBody

router = Router(prefix="/v1/contact", tags=["contact"])


@router.post("/check")
def check(*, body: JsonBody[ContactCase]) -> ContactVerdict:
    """Whether law and house policy allow a contact, and every rule that refuses it. Nothing is stored."""
    return check_contact(body)
