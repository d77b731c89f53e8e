"""The block of docs/how-to/run-the-server.md for nginx: a proxy of that kind speaks TLS, and passes requests on."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pandas as pd
import pytest

from clients import asked, rows_of, served
from forecast import Run
from forecast.commands.serve.connection import Limits

PAGE = Path(__file__).parents[3] / "docs/how-to/run-the-server.md"


@pytest.mark.skipif(not (shutil.which("nginx") and shutil.which("openssl")), reason="needs nginx and openssl")
def test_nginx_speaks_tls_and_passes_requests_on(trained: Run, monthly: pd.DataFrame, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    block = re.search(r"^```nginx\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        tls = free.getsockname()[1]
    with served(trained, Limits(body=10**6, seconds=20)) as port:
        text = block[1].replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("listen 443", f"listen 127.0.0.1:{tls}")
        text = text.replace("/etc/ssl/forecast.crt", str(certificate)).replace("/etc/ssl/forecast.key", str(key))
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; user root; pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\n"
            f"http {{ access_log off; {paths}\n{text} }}"
        )
        nginx = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
        try:
            for _ in range(100):
                if nginx.poll() is not None or not socket.socket().connect_ex(("127.0.0.1", tls)):
                    break
                time.sleep(0.05)
            trust = ssl.create_default_context(cafile=str(certificate))
            body, expected = rows_of(monthly), asked(port, body=rows_of(monthly))[1]
            for _ in range(2):  # the second over the same connection to the server
                request = Request(f"https://localhost:{tls}/forecast", json.dumps(body).encode())
                assert json.load(urlopen(request, context=trust)) == expected
            with pytest.raises(HTTPError, match="403"):
                urlopen(f"https://localhost:{tls}/metrics", context=trust)
        finally:
            nginx.terminate()
            nginx.wait(10)
