"""What screens read, rebuilt from the logs. Empty until its issue."""
