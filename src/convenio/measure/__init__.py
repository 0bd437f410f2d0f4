"""Indicators with vintages, evaluation. Empty until its issue."""
