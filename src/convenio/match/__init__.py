"""Private hit/no-hit matching. Empty until its issue."""
