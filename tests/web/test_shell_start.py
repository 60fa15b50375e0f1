"""What starts outside the tests' own process: the deployment check, the commands, the server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_accounts import code

KINWARD = str(Path(sys.executable).with_name("kinward"))


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment without a word of Kinward's but `more`."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KINWARD_", "DJANGO_", "DATABASE_URL"))
    }
    return plain | {"KINWARD_HOME": str(home)} | more


def run(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KINWARD, *words],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_deployment_check_is_clean(tmp_path: Path) -> None:
    strict = ("manage", "check", "--deploy", "--fail-level", "WARNING")
    done = run(tmp_path, *strict)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout
    insecure = run(
        tmp_path,
        "manage",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        KINWARD_INSECURE_HTTP="1",
    )
    assert insecure.returncode == 1
    assert "security.W012" in insecure.stderr


def test_no_migration_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "manage", "makemigrations", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


def test_help_lists_what_other_packages_add(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for name in ("serve", "manage", "audit", "search"):
        assert f"\n  {name}" in done.stdout or f"\n    {name}" in done.stdout


def test_help_loads_no_django(tmp_path: Path) -> None:
    code = (
        "import sys, kinward.cli\n"
        "try: kinward.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit('django' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), timeout=120, check=False
    )
    assert done.returncode == 0


def test_without_django_the_command_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "sys.modules['django'] = None\n"
        "import kinward.cli\n"
        "sys.exit(kinward.cli.main(['serve']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "install kinward[web]" in done.stderr


def test_an_unknown_command_is_wrong_usage(tmp_path: Path) -> None:
    done = run(tmp_path, "nothing")
    assert done.returncode == 2
    assert "invalid choice: 'nothing'" in done.stderr


def test_a_demo_is_served_to_this_machine_alone(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--demo", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "127.0.0.1 only" in done.stderr


@pytest.mark.parametrize("flag", ["KINWARD_DEMO", "KINWARD_INSECURE_HTTP"])
def test_what_is_for_this_machine_has_no_other_name(tmp_path: Path, flag: str) -> None:
    done = run(tmp_path, "manage", "check", **{flag: "1", "KINWARD_HOSTS": "kinward.example.org"})
    assert done.returncode != 0
    assert "for this machine alone" in done.stderr
    assert run(tmp_path, "manage", "check", **{flag: "1"}).returncode == 0


def test_a_demo_by_variable_stays_on_this_machine_too(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--host", "0.0.0.0", KINWARD_DEMO="1")
    assert done.returncode == 2
    assert "127.0.0.1 only" in done.stderr


def test_audit_without_a_database_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "audit", "verify")
    assert done.returncode == 2
    assert "KINWARD_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Start `kinward serve` and return it with its address."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **more: str) -> tuple[subprocess.Popen[str], str]:
        port = free_port()
        server = subprocess.Popen(
            [KINWARD, "serve", "--port", str(port), *words],
            env=environment(tmp_path / "home", **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(server)
        return server, f"http://127.0.0.1:{port}"

    yield start
    for server in started:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and text; wait until the server listens; follow nothing."""
    opener = urllib.request.build_opener(_Stay)
    for _ in range(3000):
        try:
            with opener.open(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def test_two_starts_at_once_in_one_folder(
    serve: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    plain = {"KINWARD_INSECURE_HTTP": "1"}
    for _, url in [serve(**plain), serve(**plain)]:
        status, headers, page = fetch(f"{url}/sign-in/")
        assert status == 200
        assert "Synthetic demo data" not in page
        assert "Secure" not in headers["Set-Cookie"]
        sheet = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert sheet.startswith("/static/kinward/kinward.")
        assert sheet != "/static/kinward/kinward.css"
        status, headers, text = fetch(url + sheet)
        assert status == 200
        assert "immutable" in headers["Cache-Control"]
        assert text.rstrip().endswith("}")
        assert fetch(f"{url}/demo/code/")[0] == 404


@pytest.mark.slow
def test_the_demo_prints_logins_and_shows_their_codes(
    serve: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    server, url = serve("--demo")
    printed = []
    for line in server.stdout:
        printed.append(line)
        if "open http" in line:
            break
    logins = dict(re.findall(r"(\S+@\S+) .* TOTP ([A-Z2-7]+)$", "".join(printed), re.M))
    assert len(logins) == 12, printed
    email, secret = next(iter(logins.items()))
    page = fetch(f"{url}/sign-in/")[2]
    assert "Synthetic demo data" in page
    assert "/demo/code/" in page
    before = code(secret)
    shown = fetch(f"{url}/demo/code/?email={email}")[2]
    assert before in shown or code(secret) in shown


def test_in_service_everything_is_over_tls(
    serve: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    _, url = serve(KINWARD_PROXY="127.0.0.1")
    status, headers, _ = fetch(f"{url}/sign-in/")
    assert status == 301
    assert headers["Location"].startswith("https://")
    status, headers, page = fetch(f"{url}/sign-in/", **{"X-Forwarded-Proto": "https"})
    assert status == 200
    assert "max-age=63072000; includeSubDomains; preload" in headers["Strict-Transport-Security"]
    cookie = headers["Set-Cookie"]
    assert cookie.strip().startswith("__Host-kinward-csrf=")
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert "Synthetic demo data" not in page
    assert fetch(f"{url}/demo/code/", **{"X-Forwarded-Proto": "https"})[0] == 404


def test_a_stranger_is_not_believed_to_be_the_proxy(
    serve: Callable[..., tuple[subprocess.Popen[str], str]],
) -> None:
    _, url = serve()
    assert fetch(f"{url}/sign-in/", **{"X-Forwarded-Proto": "https"})[0] == 301
