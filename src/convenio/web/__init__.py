"""The pages of one node, for people with a browser (docs/web.md).

A process of its own beside the node. It holds no key, no database and no secret: every page asks
the node over the local socket, and the node asks `core.decide`. Django comes in with `site`;
importing this package or `serve` does not bring it.
"""
