"""Where letters are put, as the environment says."""

from collections.abc import Mapping
from pathlib import Path

from adapters.clock import Clock
from adapters.delivery.carrier import CarrierMisconfigured
from adapters.delivery.carriers.letters import FOLDER, KEY_FILE, KNOWN_HOSTS, SFTP_URL, Letters
from adapters.delivery.carriers.letters_folder import LettersFolder


def letters_from_env(env: Mapping[str, str], texts: Path, clock: Clock) -> Letters:
    """Raises CarrierMisconfigured, SecretProblem."""
    if env.get(FOLDER) and env.get(SFTP_URL):
        raise CarrierMisconfigured(f"{FOLDER} and {SFTP_URL} are both set. One of them is enough.")
    if env.get(SFTP_URL):
        from adapters.delivery.carriers.letters_sftp import LettersSftp  # takes long, and a folder needs none of it

        return LettersSftp.from_env(env, texts, clock)
    if given := next((name for name in (KNOWN_HOSTS, KEY_FILE) if env.get(name)), None):
        raise CarrierMisconfigured(f"{SFTP_URL} is missing: {given} is set.")
    if not env.get(FOLDER):
        raise CarrierMisconfigured(
            f"letters need {FOLDER} or {SFTP_URL}; what else begins with ARREARS_LETTERS_ is unknown."
        )
    return LettersFolder(Path(env[FOLDER]), texts, clock)
