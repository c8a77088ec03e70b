#!/bin/sh
# run.sh - the golden values anew, by the Python environment of bench/bench-peers, which is made when it is absent. Values that
# need ArviZ are left alone where that environment has none.
set -eu
cd "$(dirname "$0")"
python=$(../../bench/bench-peers --setup)/bin/python
"$python" standard_vae.py write
"$python" optimizers.py
"$python" safetensors_golden.py
if "$python" -c 'import arviz' 2>/dev/null; then
    "$python" pareto.py >pareto.inc.part && mv pareto.inc.part pareto.inc
else
    echo "run.sh: pareto.inc was left alone: $python has no ArviZ (pip install arviz)" >&2
fi
