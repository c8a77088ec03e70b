#!/bin/sh
# Burda, Grosse & Salakhutdinov 2016, Table 1, one stochastic layer, MNIST binarised anew at every use.
#
#   papers/iwae/run.sh [ROW...]      rows: k1 (as published), k1-tenth, k5-tenth; default: all
#
# Interrupted runs go on where they stood when this is run again. Environment: ELBOW (the command, default build/elbow),
# ELBOW_MNIST (folder of the four IDX files), ELBOW_RUNS (default runs/iwae), ELBOW_OPTIONS (added to train and eval, such
# as "--threads 2").
set -eu
cd "$(dirname "$0")/../.."
elbow=${ELBOW:-build/elbow}
runs=${ELBOW_RUNS:-runs/iwae}
options=${ELBOW_OPTIONS:-}

# train NAME PRESET EPOCHS
train() {
    run=$runs/$1
    if [ -e "$run/state.safetensors" ]; then
        # shellcheck disable=SC2086 # options are words
        "$elbow" train --resume --out "$run" $options
    else
        # shellcheck disable=SC2086
        "$elbow" train --preset "$2" --data mnist --set train.epochs="$3" --out "$run" $options
    fi
    # shellcheck disable=SC2086
    "$elbow" eval "$run" --estimator iwae --samples 5000 $options
    "$elbow" sample "$run"
    "$elbow" reconstruct "$run"
    "$elbow" report "$run"
}

[ $# -gt 0 ] || set -- k1 k1-tenth k5-tenth
for row in "$@"; do
    case $row in
    k1) train k1 iwae-paper 3280 ;;
    k1-tenth) train k1-tenth iwae-paper 328 ;;
    k5-tenth) train k5-tenth iwae-paper-k5 328 ;;
    *)
        echo "papers/iwae/run.sh: no row '$row'; rows are k1, k1-tenth, k5-tenth" >&2
        exit 2
        ;;
    esac
done
