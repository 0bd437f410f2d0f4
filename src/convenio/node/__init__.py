"""Services, one module a job; wiring.py joins the parts."""
