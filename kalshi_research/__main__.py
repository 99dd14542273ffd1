"""``python -m kalshi_research`` is the command ``kalshi-research``."""

from kalshi_research.cli import main

raise SystemExit(main())
