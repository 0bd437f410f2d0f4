"""The known answers of docs/spec/bundle.md are what the code makes, and Python's zip reads them."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile

from tests.conftest import ROOT
from tests.support.bundles import pack, unpack

from convenio.core.bundle import Disclosed, parse_disclosed
from convenio.core.seal import check_disclosed

PAGE = (ROOT / "docs/spec/bundle.md").read_text("utf-8").partition("## Known answer")[2]
HEX, LABEL = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[:2]


def test_the_bundle_of_the_page_is_the_one_we_write_and_read() -> None:
    data = bytes.fromhex(HEX.replace("\n", ""))
    files = {"README.txt": b"read\n", "mx-0.record": b"record\n"}
    assert pack(files) == data
    assert unpack(data) == files
    assert hashlib.sha256(data).hexdigest() in PAGE
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert {name: other.read(name) for name in other.namelist()} == files


def test_the_label_of_the_page_is_the_one_we_write_and_read() -> None:
    leaf, salt = bytes(range(32)), bytes(range(32, 64))
    label = Disclosed(leaf, 0, salt, "text/plain", "nota.txt", "es")
    assert parse_disclosed(LABEL.encode()) == label
    assert label.encode() == LABEL.encode()
    k = re.findall(r"`([0-9a-f]{64})`", PAGE)[-1]
    check_disclosed(b"hola\n", salt, k)
