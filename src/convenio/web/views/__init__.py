"""One module a screen: parse the request, ask the node, render."""
