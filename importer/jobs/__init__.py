"""Scheduled imports: a job looks where its files come in, imports what is ready, and tells somebody if it
could not. What calls it is cron, or whatever else keeps time."""
