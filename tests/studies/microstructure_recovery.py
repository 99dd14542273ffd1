"""Do the estimators of market microstructure find what was planted? 200 seeds, as a table.

Run ``python tests/studies/microstructure_recovery.py [seeds [part of a name]]``. It ends with an
error if a bias is above 10 % of the parameter, or a 95 % interval covers it in less than 90 % or
more than 98 % of the seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recovery import CASES, recovery

SEEDS = 200


def main() -> int:
    """Print the table; 1 if a parameter is not recovered."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    failed = 0
    columns = ("grid", "parameter", "truth", "mean", "bias", "covered")
    widths = (7, 24, 10, 10, 7, 8)
    heads = " ".join(f"{name:>{width}}" for name, width in zip(columns, widths, strict=True))
    sys.stdout.write(f"{'estimator':<26} {heads}\n")
    begin = perf_counter()
    for case in CASES:
        for step in case.steps if part in case.name else ():
            for name, row in recovery(case, step, range(seeds)).iterrows():
                good = abs(row["bias"]) <= 0.1 and 0.9 <= row["coverage"] <= 0.98
                failed += not good
                numbers = f"{row['truth']:>10.4g} {row['estimate']:>10.4g} {row['bias']:>+7.1%}"
                sys.stdout.write(
                    f"{case.name:<26} {step:>7} {name:>24} {numbers} {row['coverage']:>8.1%}"
                    f"{'' if good else '  not recovered'}\n"
                )
                sys.stdout.flush()
    sys.stdout.write(f"{seeds} seeds, {perf_counter() - begin:.0f} s, {failed} not recovered\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
