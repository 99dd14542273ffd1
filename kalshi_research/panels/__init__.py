"""Panels for JupyterLab. Views only: what they know and decide stands in models without a screen."""

from __future__ import annotations
