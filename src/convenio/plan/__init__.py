"""Joint plan and funds. Empty until its issue."""
