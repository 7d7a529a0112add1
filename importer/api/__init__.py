"""The remote API: signing, what each answer means, the client, the account calls."""
