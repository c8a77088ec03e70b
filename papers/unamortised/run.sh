#!/bin/sh
# Jain, Samala & Vora, "Improving inference in latent variable models", Table 1: the negative ELBO of MNIST after 1, 10, 100
# and 1000 gradient steps on every datum's q(z|x), from the encoder's output, by Adam at 1e-3.
#
#   papers/unamortised/run.sh [ROW...]     rows: all (mean and variance move, as printed), mean (as in the published code),
#                                          fast (rate 0.03, lowered to 0); default: these three
#
# Trains one VAE, latent 10, 300-300 ELU, 32 epochs of batches of 97, which are the published 20 000 steps; then a JSON file per
# row, part of the data and number of steps, in runs/unamortised, and a table. What is there already is not done
# again, and interrupted training goes on. Environment: ELBOW (the command, default build/elbow), ELBOW_MNIST (folder of the
# four IDX files), ELBOW_RUNS (default runs/unamortised), ELBOW_OPTIONS (added to train and eval, such as "--threads 2"),
# ELBOW_EPOCHS and ELBOW_LIMIT (default 32, and 10000 data of each part), ELBOW_STEPS (default "0 1 10 100 1000").
set -eu
cd "$(dirname "$0")/../.."
elbow=${ELBOW:-build/elbow}
runs=${ELBOW_RUNS:-runs/unamortised}
options=${ELBOW_OPTIONS:-}
epochs=${ELBOW_EPOCHS:-32}
limit=${ELBOW_LIMIT:-10000}
steps=${ELBOW_STEPS:-0 1 10 100 1000}
run=$runs/vae

train() {
    [ ! -e "$run/trained" ] || return 0
    if [ -e "$run/state.safetensors" ]; then
        # shellcheck disable=SC2086 # options are words
        "$elbow" train --resume --out "$run" $options
    else
        # shellcheck disable=SC2086
        "$elbow" train --preset avi --data mnist --set model.latent=10 --set model.hidden=300,300 \
            --set model.activation=elu --set posterior.hidden=300,300 --set posterior.activation=elu \
            --set train.batch=97 --set train.epochs="$epochs" --out "$run" $options
    fi
    touch "$run/trained"
}

# refine ROW PART STEPS KEY=VALUE...: by fresh noise, 100 samples a datum
refine() {
    out=$runs/$1-$2-$3.json part=$2 count=$3
    [ ! -e "$out" ] || return 0
    shift 3
    set -- --set refine.steps="$count" "$@"
    # shellcheck disable=SC2086
    "$elbow" eval "$run" --part "$part" --limit "$limit" --estimator elbo --samples 100 --json "$@" $options \
        >"$out.part"
    mv "$out.part" "$out"
}

rows() {
    for part in test train; do
        for count in $steps; do
            case $1 in
            all) refine all "$part" "$count" --set refine.rate=0.001 ;;
            mean) refine mean "$part" "$count" --set refine.rate=0.001 --set refine.part=mean ;;
            fast) refine fast "$part" "$count" --set refine.rate=0.03 --set refine.decay=1 ;;
            esac
        done
    done
}

# number FILE KEY
number() {
    sed -n "s/^ *\"$2\": *\(-*[0-9.e+-]*\),*\$/\1/p" "$1"
}

table() {
    printf '%-6s %-6s %8s %12s %10s\n' row part steps NELBO error
    for row in "$@"; do
        for part in test train; do
            for count in $steps; do
                file=$runs/$row-$part-$count.json
                printf '%-6s %-6s %8s %12.2f %10.2f\n' "$row" "$part" "$count" \
                    "$(number "$file" elbo_nats | tr -d -)" "$(number "$file" standard_error)"
            done
        done
    done
}

[ $# -gt 0 ] || set -- all mean fast
for row in "$@"; do
    case $row in
    all | mean | fast) ;;
    *)
        echo "papers/unamortised/run.sh: no row '$row'; rows are all, mean, fast" >&2
        exit 2
        ;;
    esac
done
train
for row in "$@"; do rows "$row"; done
table "$@" | tee "$runs/table.txt"
