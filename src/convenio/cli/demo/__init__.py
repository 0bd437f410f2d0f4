"""The demo: two real nodes on this machine, public content of the framework, what can be proved."""
