"""Software for partners who must cooperate and do not fully trust each other."""

__version__ = "0.1.0"
