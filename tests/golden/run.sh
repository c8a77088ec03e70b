#!/bin/sh
# run.sh - the golden values anew, by the Python environment of bench/bench-peers, which is made when it is absent. Values that
# need ArviZ or SciPy are left alone where that environment has none.
set -eu
cd "$(dirname "$0")"
python=$(../../bench/bench-peers --setup)/bin/python
"$python" standard_vae.py write
"$python" optimizers.py
"$python" convert.py
"$python" safetensors_golden.py
# table NAME MODULE: NAME.inc by NAME.py, which needs MODULE.
table() {
    if "$python" -c "import $2" 2>/dev/null; then
        "$python" "$1.py" >"$1.inc.part" && mv "$1.inc.part" "$1.inc"
    else
        echo "run.sh: $1.inc was left alone: $python has no $2 (pip install $2)" >&2
    fi
}
table flows math
table pareto arviz
table statistics scipy
