"""Customers from spreadsheets into NXLink CDP, with a true status for every row."""

__version__ = "0.1.0"
