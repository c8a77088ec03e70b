#!/bin/sh
# Cremer, Li & Duvenaud 2018, "Inference suboptimality in variational autoencoders", Table 1, and its side experiments.
#
#   papers/cremer/run.sh [ROW...]
#
# Rows of Table 1: mnist-regular-ffg, mnist-regular-flow, mnist-large-ffg, mnist-large-flow, mnist-noanneal-ffg,
# mnist-noanneal-flow, and the same with fashion-; "table" is all 12, the default. Side experiments, on MNIST:
#   decoder-0, decoder-2, decoder-4     decoders with so many hidden layers ("decoder": all three)
#   encoder-small-ffg, encoder-small-flow, encoder-regular-ffg, encoder-regular-flow
#                                       new encoders for the decoder of mnist-regular-ffg, which stays ("encoder": all four)
#   training                            gaps after 1/27, 1/9, 1/3 and all of the epochs
#
# Trains, runs elbow gap, and writes table-EPOCHS.md with every row that is there. Interrupted work goes on where it stood when
# this is run again. Environment: ELBOW (the command, default build/elbow), ELBOW_MNIST (folder of the four IDX files),
# ELBOW_RUNS (default runs/cremer), ELBOW_EPOCHS (default 3280, as published; annealing and step sizes scale with it),
# ELBOW_LIMIT (data of each part, default 100), ELBOW_OPTIONS (added to train and gap, such as "--threads 2"), ELBOW_TRAIN and
# ELBOW_GAP (added to one of them, such as "--temperatures 10000 --chains 100", which are the published ones).
set -eu
cd "$(dirname "$0")/../.."
here=papers/cremer
elbow=${ELBOW:-build/elbow}
runs=${ELBOW_RUNS:-runs/cremer}
options=${ELBOW_OPTIONS:-}
epochs=${ELBOW_EPOCHS:-3280}
limit=${ELBOW_LIMIT:-100}
sides="decoder-0 decoder-2 decoder-4 encoder-small-ffg encoder-small-flow encoder-regular-ffg encoder-regular-flow"

# train RUN EPOCHS PRESET KEY=VALUE...: goes on with a run that is there; nothing to do where so many epochs are done
train() {
    run=$1 until=$2 preset=$3
    shift 3
    [ ! -e "$run/trained-$until" ] || return 0
    if [ -e "$run/state.safetensors" ]; then
        # shellcheck disable=SC2086 # options are words
        "$elbow" train --resume --out "$run" --set train.epochs="$until" $options ${ELBOW_TRAIN:-}
    else
        for key in "$@"; do
            set -- "$@" --set "$key"
            shift
        done
        # shellcheck disable=SC2086
        "$elbow" train --preset "$preset" --out "$run" --set train.epochs="$until" "$@" $options ${ELBOW_TRAIN:-}
    fi
    touch "$run/trained-$until"
}

# gap RUN FOLDER
gap() {
    [ ! -e "$2/gap.json" ] || return 0
    # shellcheck disable=SC2086
    "$elbow" gap "$1" --out "$2" --limit "$limit" --optima flow $options ${ELBOW_GAP:-}
}

# Runs `train` on the images of a preset, with the preset's settings.
# model RUN EPOCHS PRESET KEY=VALUE...
model() {
    run=$1 until=$2 preset=$3
    shift 3
    case $preset in
    mnist-*) set -- data.spec=mnist "$@" ;;
    fashion-*) set -- data.spec=fashion-mnist "$@" ;;
    esac
    train "$run" "$until" "cremer-$preset" "$@"
}

# A column of Table 1: its preset. beta grows from 0 to 1 in 400 of 3280 epochs.
column() {
    model "$runs/$1-$epochs" "$epochs" "$1" \
        objective.warmup_epochs="$(awk "BEGIN { print 400 * $epochs / 3280 }")"
}

# Tanh and batches of 20, as in the published code of these two.
decoder() {
    case $1 in
    decoder-0) hidden= ;;
    decoder-2) hidden=200,200 ;;
    decoder-4) hidden=200,200,200,200 ;;
    esac
    model "$runs/$1-$epochs" "$epochs" mnist-noanneal-ffg model.hidden="$hidden" model.activation=tanh \
        posterior.activation=tanh train.batch=20
}

encoder() {
    column mnist-regular-ffg
    hidden=200,200
    case $1 in *-small-*) hidden= ;; esac
    model "$runs/$1-$epochs" "$epochs" "mnist-noanneal-${1##*-}" posterior.hidden="$hidden" \
        train.from="$runs/mnist-regular-ffg-$epochs" train.encoder_only=true
}

# The epochs after which gaps are taken.
moments() {
    for part in 27 9 3 1; do awk "BEGIN { e = int($epochs / $part + 0.5); print (e > 0 ? e : 1) }"; done | uniq
}

# The step size stays as it is: published stages would depend on where the end is.
training() {
    run=$runs/training-$epochs
    for until in $(moments); do
        model "$run" "$until" mnist-noanneal-ffg schedule.type=constant
        gap "$run" "$run/gap-$until"
    done
}

# line NAME FOLDER: the table's rows of a folder of gaps, training data first
line() {
    for part in train test; do
        csv=$2/gap-$part.csv
        [ ! -e "$csv" ] || awk -v name="$1" -v part=$part -f $here/table.awk $here/published.txt "$csv"
    done
}

table() {
    echo "# Inference suboptimality, Table 1"
    echo
    echo "$epochs epochs (published: 3280), annealing and step sizes scaled to it; nats per datum, +- standard error over data."
    echo "The published figures are of training images, binarised otherwise."
    echo
    echo "| | log p(x) | L[q\\*], flow | L[q\\*], FFG | L[q] | approximation | amortisation | inference | flow - FFG |"
    echo "|---|---|---|---|---|---|---|---|---|"
    for row in $columns $sides; do line "$row" "$runs/$row-$epochs/gap"; done
    for moment in $(moments); do line "training, $moment epochs" "$runs/training-$epochs/gap-$moment"; done
}

columns=
for images in mnist fashion; do
    for encoder in regular large noanneal; do
        for family in ffg flow; do columns="$columns $images-$encoder-$family"; done
    done
done
rows=
[ $# -gt 0 ] || set -- table
for row in "$@"; do
    case " $columns $sides training " in
    *" $row "*) rows="$rows $row" ;;
    *)
        case $row in
        table) rows="$rows $columns" ;;
        decoder) rows="$rows decoder-0 decoder-2 decoder-4" ;;
        encoder) rows="$rows encoder-small-ffg encoder-small-flow encoder-regular-ffg encoder-regular-flow" ;;
        *)
            echo "$here/run.sh: no row '$row'; rows are$columns $sides training, and table, decoder, encoder" >&2
            exit 2
            ;;
        esac
        ;;
    esac
done
mkdir -p "$runs"
for row in $rows; do
    case $row in
    decoder-*) decoder "$row" ;;
    encoder-*) encoder "$row" ;;
    training) training ;;
    *) column "$row" ;;
    esac
    [ "$row" = training ] || gap "$runs/$row-$epochs" "$runs/$row-$epochs/gap"
    table >"$runs/table-$epochs.md.part"
    mv "$runs/table-$epochs.md.part" "$runs/table-$epochs.md"
done
cat "$runs/table-$epochs.md"
