"""Verification by a stranger: files or a public address in, facts out (docs/spec/verify.md).

Needs no node, no database and no network, and starts fast. Nothing that is checked is believed
because it says so: keys come from the charter or policy that the caller trusts. Without one all is
checked for consistency, and nobody vouches for the keys.
"""

from convenio.node.verify.door import verify
from convenio.node.verify.report import Check, Finding, Grade, Outcome, Report

__all__ = ["Check", "Finding", "Grade", "Outcome", "Report", "verify"]
