"""Batch work past one machine. Empty until its issue."""
