#!/bin/sh
# Methods of posterior inference compared on likelihood and time: every plan beside this script.
#
#   papers/compare/run.sh [PLAN...]      plans: mnist, mnist-10, fashion, fashion-10, gaussian, gaussian-50; default: all
#
# Interrupted comparisons go on where they stood when this is run again. Environment: ELBOW (the command, default build/elbow),
# ELBOW_MNIST (folder of the four IDX files), ELBOW_RUNS (default runs/compare), ELBOW_OPTIONS (added to compare, such as
# "--threads 2").
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- mnist mnist-10 fashion fashion-10 gaussian gaussian-50
for plan in "$@"; do
    # shellcheck disable=SC2086 # options are words
    "${ELBOW:-build/elbow}" compare "papers/compare/$plan.yaml" --out "${ELBOW_RUNS:-runs/compare}/$plan" ${ELBOW_OPTIONS:-}
done
