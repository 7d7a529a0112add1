"""The commands. Those that share nearly everything share a module; `importer.cli.app` lists them."""
