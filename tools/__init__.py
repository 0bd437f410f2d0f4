"""What the people who work on convenio run; nothing here is installed."""
