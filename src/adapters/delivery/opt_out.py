"""What Arrears itself says in a message, in the language of its text: how to opt out."""

from collections.abc import Mapping

from adapters.delivery.languages import ENGLISH, base_of
from aggregates.values.contact import Channel

_OPT_OUT: Mapping[Channel, Mapping[str, str]] = {
    Channel.SMS: {
        "en": "Reply STOP to opt out",
        "de": "Abmelden: Antwort STOP",
        "es": "Responda STOP para no recibir más",
        "fr": "Répondez STOP pour ne plus en recevoir",
        "it": "Rispondi STOP per non riceverne più",
        "nl": "Antwoord STOP om af te melden",
        "pl": "Odpowiedz STOP, aby zrezygnować",
        "pt": "Responda STOP para não receber mais",
    },
    Channel.EMAIL: {
        "en": "To stop e-mails to this address, reply with UNSUBSCRIBE.",
        "de": "Wenn Sie an diese Adresse keine E-Mails mehr erhalten möchten, antworten Sie mit UNSUBSCRIBE.",
        "es": "Para no recibir más correos en esta dirección, responda con UNSUBSCRIBE.",
        "fr": "Pour ne plus recevoir d'e-mails à cette adresse, répondez UNSUBSCRIBE.",
        "it": "Per non ricevere più e-mail a questo indirizzo, risponda con UNSUBSCRIBE.",
        "nl": "Antwoord met UNSUBSCRIBE om op dit adres geen e-mails meer te ontvangen.",
        "pl": "Aby nie otrzymywać więcej wiadomości na ten adres, odpowiedz UNSUBSCRIBE.",
        "pt": "Para não receber mais e-mails neste endereço, responda com UNSUBSCRIBE.",
    },
}
"""12 CFR 1006.6(e): every electronic message says how to opt out of that address or number. The word to answer with is
the same in every language, because it is the one that is understood when it comes back."""


def opt_out_line(channel: Channel, language: str) -> str | None:
    """In a language, else in English; None where the channel needs none."""
    lines = _OPT_OUT.get(channel)
    return None if lines is None else lines.get(base_of(language), lines[ENGLISH])
