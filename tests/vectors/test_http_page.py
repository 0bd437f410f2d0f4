"""The example of docs/spec/http.md is what the code makes."""

from __future__ import annotations

from tests.conftest import ROOT
from tests.support.partners import CH, MX, NOW, US, blob_name

from convenio.core.httpsig import Target, content_digest, sign_request, sign_response


def test_the_example_of_the_page_is_what_the_code_makes() -> None:
    page = (ROOT / "docs/spec/http.md").read_text()
    path = f"/blob/{CH}/{blob_name(b'hello')}"
    target = Target("PUT", "mx.localhost:8001", path, "offset=0&size=5")
    nonce = bytes(range(16))
    asked = sign_request(target, content_digest(b"hello"), "identity", US, created=NOW, nonce=nonce)
    answered = sign_response(204, content_digest(b""), asked.signature, MX, NOW + 1)
    for base, fields in (
        (asked.base(target), asked.fields()),
        (answered.base(204, asked.signature), answered.fields()),
    ):
        assert f"\n{base.decode()}\n\nsignature: {fields['signature']}\n" in page
