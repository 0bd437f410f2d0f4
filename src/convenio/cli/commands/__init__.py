"""One module a command; its `command` is what `root` runs."""
