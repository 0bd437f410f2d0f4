"""Kinds of cooperation as data, and the machine that runs them: pure."""
