"""Letters on paper: what stands where, what cannot be printed, and that there is one for each message."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from unicodedata import normalize
from uuid import UUID, uuid4

import asyncssh
import pytest
from pypdf import PageObject, PdfReader

from adapters.clock import ManualClock
from adapters.delivery.carrier import Attempt, CarrierMisconfigured, CarrierRefused, CarrierUnavailable
from adapters.delivery.carriers.letter_pdf import page_of, pdf_of
from adapters.delivery.carriers.letters import Letters
from adapters.delivery.carriers.letters_folder import LettersFolder
from adapters.delivery.carriers.letters_setup import letters_from_env
from adapters.delivery.rendering import Letter
from adapters.secret_text import SecretProblem
from tests.adapters.delivery.carriers.sftp_server import Does, SftpServer
from tests.adapters.delivery.carriers.stands import A_LETTER, TODAY, sftp_to

MESSAGE = UUID("6b0e6f0e-5f5a-4c1e-9a53-6f0a6d0f4f10")
ASKED = Attempt(datetime(2026, 11, 29, tzinfo=UTC), lambda: None)
DAY = date(2026, 11, 29)
POINT = 72 / 25.4
"""PDF points a millimetre."""


def folder_of(tmp_path: Path) -> LettersFolder:
    (tmp_path / "letters").mkdir(exist_ok=True)
    return LettersFolder(tmp_path / "letters", tmp_path / "texts", ManualClock(TODAY))


def read(folder: Path) -> PdfReader:
    [path] = folder.glob("*.pdf")
    return PdfReader(path)


def places(reader: PdfReader) -> dict[str, tuple[float, float]]:
    """Millimetres from the left and from the top, by what stands there."""
    height = float(reader.pages[0].mediabox.height)
    found: dict[str, tuple[float, float]] = {}

    def visit(text: str, cm: list[float], tm: list[float], *_: object) -> None:
        if text.strip():
            x, y = tm[4] * cm[0] + cm[4], tm[5] * cm[3] + cm[5]
            found.setdefault(text.strip(), (x / POINT, (height - y) / POINT))

    reader.pages[0].extract_text(visitor_text=visit)
    return found


NARROWEST = 2.5
"""Points that a character takes at least, at the sizes of a letter."""


def runs_of(page: PageObject) -> list[tuple[str, float]]:
    """What is set in one go, and the points from the left where that begins."""
    runs: list[tuple[str, float]] = []

    def visit(text: str, cm: list[float], tm: list[float], *_: object) -> None:
        runs.extend((line, tm[4] * cm[0] + cm[4]) for line in text.split("\n") if line.strip())

    page.extract_text(visitor_text=visit)
    return runs


# --- the page ---


@pytest.mark.parametrize(
    ("country", "width", "height"), [("DE", 210, 297), (None, 210, 297), ("US", 215.9, 279.4), ("CA", 215.9, 279.4)]
)
def test_paper_is_what_is_usual_where_it_goes(tmp_path: Path, country: str | None, width: float, height: float):
    folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, country=country))
    page = read(tmp_path / "letters").pages[0]
    assert (float(page.mediabox.width) / POINT, float(page.mediabox.height) / POINT) == pytest.approx(
        (width, height), abs=0.1
    )


@pytest.mark.parametrize(
    ("country", "top", "bottom"),
    [("DE", 62.7, 90), ("US", 51, 79)],
    ids=["DIN 5008 form B", "number 10 window envelope, folded in three"],
)
def test_the_address_stands_in_the_window(tmp_path: Path, country: str, top: float, bottom: float):
    folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, country=country))
    found = places(read(tmp_path / "letters"))
    lines = [found[each] for each in ("Anna Example", "Ringstr. 1", "12345 Ort", "DE")]
    assert [y for _, y in lines] == sorted(y for _, y in lines)
    assert all(20 <= x <= 30 and top <= y <= bottom for x, y in lines)
    assert all(y > bottom for text, (_, y) in found.items() if text in {"Your account", "Dear Anna"})


def test_a_letter_says_who_writes_when_and_what_about(tmp_path: Path):
    folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, language="de", day=DAY))
    text = read(tmp_path / "letters").pages[0].extract_text()
    assert [each for each in ("Main Office", "29.11.2026", "Your account", "Dear Anna") if each not in text] == []


def test_a_long_letter_has_more_pages(tmp_path: Path):
    folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, body="\n".join(f"line {n}" for n in range(100))))
    pages = read(tmp_path / "letters").pages
    assert len(pages) > 1
    assert "line 99" in pages[-1].extract_text()


LINK = "https://pay.example.com/" + "?token=" + "aBc" * 60


@pytest.mark.parametrize("word", [LINK, "W" * 200, "Ж" * 200, "é" * 200, "e\u0301" * 150])
def test_a_word_longer_than_a_line_breaks_and_nothing_of_it_is_over_the_edge(tmp_path: Path, word: str):
    body = f"Dear Anna, {word} is where you pay."
    what = {"body": body, "subject": word, "sender": word[:60], "recipient": word[:60]}
    folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, **what))  # type: ignore[arg-type]
    page = read(tmp_path / "letters").pages[0]
    assert normalize("NFC", word) in normalize("NFC", "".join(page.extract_text().split()))
    width = float(page.mediabox.width)
    runs = [(x, text) for text, x in runs_of(page) if x + len(text) * NARROWEST > width - 20 * POINT]
    assert runs == []


def test_what_is_written_is_never_code(tmp_path: Path):
    code = '#read("/etc/passwd") #panic("x") $x$ *a* _b_ \\ <c> @d = e'
    what = {"body": code, "subject": code, "sender": code, "recipient": code}
    folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, **what))  # type: ignore[arg-type]
    text = "".join(read(tmp_path / "letters").pages[0].extract_text().split())
    assert text.count("".join(code.split())) >= 4


@pytest.mark.parametrize("body", ["😀", "漢字", "\x07"])
def test_what_the_fonts_cannot_show_is_not_printed_without_it(tmp_path: Path, body: str):
    with pytest.raises(CarrierRefused) as refused:
        folder_of(tmp_path).send(MESSAGE, replace(A_LETTER, body=f"Dear {body}"))
    assert refused.value.code == "not-printable"
    assert list((tmp_path / "letters").iterdir()) == []


@pytest.mark.parametrize(
    "to",
    ["", "12345 Ort", "12345 Ort\nDE", "\n\n", "a\n" * 9, "x" * 61 + "\n12345 Ort", "Ringstr. 1\r\n12345 Ort"],
)
def test_what_is_no_full_address_is_refused(to: str):
    with pytest.raises(CarrierRefused) as refused:
        page_of(replace(A_LETTER, to=to), DAY)
    assert refused.value.code == "bad-address"


def test_the_same_text_gives_the_same_bytes():
    page = page_of(A_LETTER, DAY)
    assert pdf_of(page) == pdf_of(page)


# --- once ---


def test_the_text_of_the_first_who_handed_it_over_is_the_one_that_is_printed(tmp_path: Path):
    """Another process, with the text of another day, prints the same letter where the first one died in the middle."""

    class Dies(LettersFolder):
        def put(self, name: str, pdf: bytes) -> None:
            raise KeyboardInterrupt

    folder_of(tmp_path)
    first = Dies(tmp_path / "letters", tmp_path / "texts", ManualClock(TODAY))
    with pytest.raises(KeyboardInterrupt):
        first.send(MESSAGE, replace(A_LETTER, body="of the first"))
    second = folder_of(tmp_path)
    assert second.took(MESSAGE, ASKED) is False
    second.send(MESSAGE, replace(A_LETTER, body="of the second"))
    assert "of the first" in read(tmp_path / "letters").pages[0].extract_text()
    taken = second.took(MESSAGE, ASKED)
    assert isinstance(taken, Letter)
    assert taken.body == "of the first"


def test_a_letter_that_was_taken_away_to_be_printed_is_not_written_again(tmp_path: Path):
    carrier = folder_of(tmp_path)
    carrier.send(MESSAGE, A_LETTER)
    (tmp_path / "letters" / f"{MESSAGE}.pdf").unlink()
    assert isinstance(carrier.took(MESSAGE, ASKED), Letter)
    carrier.send(MESSAGE, A_LETTER)
    assert list((tmp_path / "letters").iterdir()) == []


def test_nothing_half_written_has_the_name_of_a_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        names = [each.name for each in (tmp_path / "letters").iterdir()]
        if names:
            assert all(name.startswith(".") for name in names)
            raise OSError(28, "No space left on device")

    carrier = folder_of(tmp_path)
    monkeypatch.setattr("adapters.delivery.carriers.letters_folder.os.fsync", full)
    with pytest.raises(CarrierUnavailable, match="No space left on device"):
        carrier.send(MESSAGE, A_LETTER)
    assert list((tmp_path / "letters").iterdir()) == []


# --- sftp ---


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with SftpServer(tmp_path) as server:
        yield server


def test_a_server_with_another_host_key_gets_nothing(server: SftpServer, tmp_path: Path):
    server.trust(asyncssh.generate_private_key("ssh-ed25519"))
    with pytest.raises(CarrierUnavailable, match="host key is not the one"):
        sftp_to(server, tmp_path / "texts").send(MESSAGE, A_LETTER)
    assert list((server.files / "letters").iterdir()) == []


def test_a_refused_login_is_no_fault_of_the_letter(server: SftpServer, tmp_path: Path):
    server.key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    with pytest.raises(CarrierUnavailable, match="refused the login"):
        sftp_to(server, tmp_path / "texts").send(MESSAGE, A_LETTER)


def test_a_line_that_drops_while_a_letter_is_sent_leaves_no_letter(server: SftpServer, tmp_path: Path):
    carrier = sftp_to(server, tmp_path / "texts")
    server.does = Does.DROPS
    with pytest.raises(CarrierUnavailable):
        carrier.send(MESSAGE, A_LETTER)
    assert list((server.files / "letters").glob("*.pdf")) == []
    assert carrier.took(MESSAGE, ASKED) is False


def test_a_server_that_is_away_does_not_say_what_it_took(server: SftpServer, tmp_path: Path):
    carrier = sftp_to(server, tmp_path / "texts")
    server.stop()
    assert carrier.took(MESSAGE, ASKED) is None
    with pytest.raises(CarrierUnavailable):
        carrier.send(MESSAGE, A_LETTER)


# --- settings ---


def from_env(tmp_path: Path, **env: str) -> Letters:
    return letters_from_env(
        {f"ARREARS_LETTERS_{name}": value for name, value in env.items()}, tmp_path / "texts", ManualClock(TODAY)
    )


def test_letters_go_where_the_environment_says(server: SftpServer, tmp_path: Path):
    (tmp_path / "letters").mkdir()
    assert from_env(tmp_path, FOLDER=str(tmp_path / "letters")).leads_to == str(tmp_path / "letters")
    files = {"SFTP_KNOWN_HOSTS_FILE": str(server.known_hosts), "SFTP_KEY_FILE": str(server.key)}
    assert from_env(tmp_path, SFTP_URL=server.url, **files).leads_to == f"sftp://127.0.0.1:{server.port}/letters"


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({"FOLDER": "/missing"}, "ARREARS_LETTERS_FOLDER: there is no folder /missing"),
        ({"FOLDER": "/tmp", "SFTP_URL": "sftp://u@h/"}, "are both set"),
        ({"SFTP_URL": "sftp://u@h/"}, "ARREARS_LETTERS_SFTP_KNOWN_HOSTS_FILE is missing"),
        ({"SFTP_URL": "sftp://u@h/", "SFTP_KNOWN_HOSTS_FILE": "KEY"}, "ARREARS_LETTERS_SFTP_KEY_FILE is missing"),
        ({"SFTP_KEY_FILE": "KEY"}, "ARREARS_LETTERS_SFTP_URL is missing: ARREARS_LETTERS_SFTP_KEY_FILE is set"),
        ({"SFTP_URL": "ftp://u@h/", "SFTP_KNOWN_HOSTS_FILE": "KEY", "SFTP_KEY_FILE": "KEY"}, "is not understood"),
        ({"SFTP_URL": "sftp://h/", "SFTP_KNOWN_HOSTS_FILE": "KEY", "SFTP_KEY_FILE": "KEY"}, "is not understood"),
        (
            {"SFTP_URL": "sftp://u:pw@h/", "SFTP_KNOWN_HOSTS_FILE": "KEY", "SFTP_KEY_FILE": "KEY"},
            "has a password",
        ),
        ({"SFTP_URL": "sftp://u@h/", "SFTP_KNOWN_HOSTS_FILE": "KEY", "SFTP_KEY_FILE": "TEXT"}, "holds no key"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_and_name_the_variable(
    tmp_path: Path, env: dict[str, str], names: str
):
    (tmp_path / "key").write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    (tmp_path / "text").write_text("no key")
    files = {"KEY": str(tmp_path / "key"), "TEXT": str(tmp_path / "text")}
    with pytest.raises(CarrierMisconfigured, match=names) as refused:
        from_env(tmp_path, **{name: files.get(value, value) for name, value in env.items()})
    assert "pw" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path):
    with pytest.raises(SecretProblem, match="ARREARS_LETTERS_SFTP_KNOWN_HOSTS_FILE: /missing cannot be read"):
        from_env(tmp_path, SFTP_URL="sftp://u@h/", SFTP_KNOWN_HOSTS_FILE="/missing", SFTP_KEY_FILE="/missing")


def test_a_message_is_told_from_another_by_its_id(tmp_path: Path):
    carrier = folder_of(tmp_path)
    names = {carrier.send(uuid4(), A_LETTER) for _ in range(3)}
    assert {path.name for path in (tmp_path / "letters").iterdir()} == names
