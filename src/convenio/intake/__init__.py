"""Source documents and citations. Empty until its issue."""
