"""Makes the canonical files of the instruments that come with the program (`./run words`).

What a charter pins is the hash of a line that is made here of what people wrote beside it. Nothing
is made of a definition with findings.
"""

from __future__ import annotations

import sys

from convenio.instruments.lint import lint_files
from convenio.node.definitions import FOLDER, KINDS


def canonical_files() -> dict[str, bytes]:
    """Every file that is made, by name.

    Raises:  RuntimeError: the linter finds something.
    """
    written = {path.name: path.read_bytes() for path in FOLDER.glob("*.yaml")}
    made: dict[str, bytes] = {}
    for kind in KINDS:
        linted = lint_files(written, kind)
        if linted.problems or linted.definition is None:
            found = [
                f"{each.file}:{each.line}: {each.code} {each.about}" for each in linted.problems
            ]
            raise RuntimeError("\n".join(found))
        made[f"{kind}.json"] = linted.definition.encode()
        made |= {f"{kind}.{each.language}.json": each.encode() for each in linted.texts}
        if linted.calendar:
            made[f"{linted.calendar.name}.calendar.json"] = linted.calendar.encode()
    return made


def main() -> int:
    for name, line in canonical_files().items():
        (FOLDER / name).write_bytes(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
