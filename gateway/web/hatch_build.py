"""Builds the page into every wheel, so that an installed gateway has it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuildHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the page, unless this is an editable install: a checkout's page is made by `make`."""
        if version != "editable":
            build = runpy.run_path(str(Path(self.root) / "gateway" / "web" / "build.py"))
            build["build_page"]()
