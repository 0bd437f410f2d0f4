"""Manifest screening. Empty until its issue."""
