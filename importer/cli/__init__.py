"""The command line: what people type and what they see. Everything it does is in the packages below."""
