"""The partner's HTTP, seen from our side: bounded in size and time."""
