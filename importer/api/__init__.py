"""The remote API: signing, what each answer means, the client, the account calls."""

READ_TIMEOUT = 60.0
"""Seconds that an answer is waited for."""
