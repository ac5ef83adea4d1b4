"""Apache Kafka's jars, fetched once from Maven Central into a cache folder."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

POM = Path(__file__).parents[3] / "deploy" / "kafka" / "pom.xml"

_OLDEST_JAVA = 17
_FETCH_SECONDS = 600
_PACKAGES = "openjdk-17-jre-headless maven"


class KafkaUnavailable(Exception):
    """No Kafka can be started here. `hint` says what to install or to set."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint


class KafkaAway(KafkaUnavailable):
    """Kafka was named and does not answer now, or not as it did: nothing is wrong here, and it may be back any time."""


_INSTALL = f"""Any one of these helps:
  a Kafka that runs already    KAFKA_BOOTSTRAP_SERVERS=host:port
  Docker                       a running engine
  Java 17 or newer and Maven   Debian, Ubuntu: apt-get install {_PACKAGES}"""


def java() -> str:
    """The java to run. Raises KafkaUnavailable where there is none, or an old one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        raise KafkaUnavailable("Kafka needs Java 17 or newer; there is no java on PATH.", hint=_INSTALL)
    said = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        named = version[1] if version else "unknown"
        raise KafkaUnavailable(f"Kafka needs Java 17 or newer; {found} is version {named}.", hint=_INSTALL)
    return found


def jars(*, pom: Path = POM, env: Mapping[str, str] = os.environ) -> Path:
    """The folder with Kafka's jars; fetched with Maven where it is not there yet, whole or not at all."""
    if not pom.is_file():
        raise KafkaUnavailable(f"{pom} is missing: a local Kafka is started from a checkout of the repository.")
    cached = _cache(env) / f"kafka-{kafka_version(pom)}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"
    if cached.is_dir():
        return cached
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("Kafka's jars are fetched with Maven; there is no mvn on PATH.", hint=_INSTALL)
    cached.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{cached.name}.", dir=cached.parent))
    try:
        _fetch(maven, pom, unfinished)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(cached)
        except OSError:  # somebody else was quicker
            if not cached.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return cached


def kafka_version(pom: Path = POM) -> str:
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", pom.read_text(encoding="utf-8"))
    if found is None:
        raise KafkaUnavailable(f"{pom} does not say which kafka.version to use.")
    return found[1]


def _cache(env: Mapping[str, str]) -> Path:
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "arrears"


def _fetch(maven: str, pom: Path, folder: Path) -> None:
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise KafkaUnavailable(f"Maven did not fetch Kafka's jars within {_FETCH_SECONDS} s.", hint=_INSTALL) from None
    if done.returncode != 0 or not any(folder.glob("kafka_*.jar")):
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise KafkaUnavailable(f"Maven could not fetch Kafka's jars:\n{last}", hint=_INSTALL)
