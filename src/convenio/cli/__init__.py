"""Commands: parse, call one service, render. A command's module is imported when it is given."""
