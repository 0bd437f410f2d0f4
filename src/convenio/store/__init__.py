"""Effects on disk: log database, blobs, tiles."""
