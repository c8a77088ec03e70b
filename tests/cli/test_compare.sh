#!/bin/sh
# elbow compare: plans, presets and runs; stopped at any moment it ends with the table of one that never was.
. "$(dirname "$0")/lib.sh"
small='--set model.hidden=8 --set posterior.hidden=8 --set model.latent=2 --limit 40 --samples 30 --refine-steps 5 --threads 1
    --progress none'
cat >plan.yaml <<'END'
data: synthetic:figure-8
seeds: 2
set:
  model: {latent: 2, hidden: [8]}
  posterior: {hidden: [8]}
  train: {epochs: 40, batch: 20, checkpoint_minutes: 0.001}
evaluate: {samples: 30, limit: 40, refine_steps: 5}
methods:
  vae: {preset: table, label: VAE}
  fair: {preset: table, set: {objective: {samples: 3}}}
  refined: {of: vae, set: {refine.steps: 4}}
END

# what FOLDER: the numbers that no clock goes into.
what() { cut -d, -f1-28 "$1/compare.csv"; }

# --- a plan
ok "$ELBOW" compare plan.yaml --out whole --threads 1 --progress none
says '^VAE .* -[0-9]+\.[0-9][0-9] \+- '
says '^refined '
for file in compare.json compare.csv compare.md compare.svg compare.png vae/seed-1/model.safetensors fair/seed-2/own.json refined/seed-1/own.json; do
    [ -s "whole/$file" ] || fail "no $file"
done
json whole/compare.json
[ "$(wc -l <whole/compare.csv)" -eq 4 ] || fail 'not one line for each method'
what whole >expected

# --- killed and stopped, it goes on
for signal in KILL TERM INT; do
    for delay in 0.1 0.3; do
        "$ELBOW" compare plan.yaml --out stopped --threads 1 --progress none >out 2>err </dev/null &
        pid=$!
        sleep "$delay"
        kill -"$signal" "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
done
ok "$ELBOW" compare plan.yaml --out stopped --threads 1 --progress none
what stopped >found
same found expected
cp stopped/compare.csv before
ok "$ELBOW" compare plan.yaml --out stopped --threads 1 --progress none
same stopped/compare.csv before
ok "$ELBOW" compare plan.yaml --out stopped --threads 1 --progress none --retime
! cmp -s stopped/compare.csv before || fail 'no time was measured anew'
what stopped >found
same found expected

# --- runs as they are: two seeds of one method, and another; nothing is written into them
ls -l whole/vae/seed-1 >before
ok "$ELBOW" compare whole/vae/seed-1 whole/vae/seed-2 whole/fair/seed-1 --out taken --limit 40 --samples 30 --refine-steps 5 \
    --threads 1 --progress none
ls -l whole/vae/seed-1 >after
same before after
[ "$(wc -l <taken/compare.csv)" -eq 3 ] || fail 'seeds of one method are not one row'
[ "$(sed -n 2p taken/compare.csv | cut -d, -f5-6)" = "$(sed -n 2p whole/compare.csv | cut -d, -f5-6)" ] ||
    fail 'a run has other numbers when it is taken as it is'

# --- presets, and JSON
# shellcheck disable=SC2086 # words
ok "$ELBOW" compare --data synthetic:figure-8 --methods avi,table --epochs 1 --out quick --json $small
json
says '"reference": "avi"'

# --- what is refused
# shellcheck disable=SC2086
refuse 2 'model.hidden 8, but seed-1-2 has 9|same decoder' "$ELBOW" compare whole/vae/seed-1 quick/avi/seed-1 --out bad $small
refuse 2 'out FOLDER is missing' "$ELBOW" compare plan.yaml
refuse 2 'nothing to compare' "$ELBOW" compare --out bad
refuse 2 "unknown preset 'avii'; did you mean 'avi'" "$ELBOW" compare --methods avii --out bad
refuse 2 'not a list of presets' "$ELBOW" compare --methods avi,, --out bad
refuse 2 "reference 'van' is none of the methods; did you mean 'vae'" "$ELBOW" compare plan.yaml --reference van --out bad
refuse 1 'no-such-plan' "$ELBOW" compare no-such-plan --out bad
refuse 2 'two methods named' "$ELBOW" compare --methods avi,avi --out bad
[ ! -e bad ] || fail 'a refused comparison left something behind'
