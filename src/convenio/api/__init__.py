"""The partner-facing HTTP of a node: C2SP read path, mirror, bodies."""
