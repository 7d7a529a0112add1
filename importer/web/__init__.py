"""The page in the browser: `importer web`. It calls the pipeline and holds no rule of its own.

A piece of work (`works`) is one file on its way: uploaded, looked at, matched, checked, corrected, imported.
Each step is a module with its routes; checks and imports run in threads of their own (`tasks`).
"""
