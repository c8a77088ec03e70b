#!/bin/sh
# elbow gap: table, files, pictures; stopped at any moment it ends with the numbers of one that never was; what it refuses.
. "$(dirname "$0")/lib.sh"
images small.npy 60
ok "$ELBOW" train --data small.npy --out run --set model.hidden=8 --set posterior.hidden=8 --set posterior.flow_hidden=4 \
    --set model.latent=2 --set train.epochs=20 --set train.batch=20 --set data.test=20 --threads 1 --progress none
small='--limit 12 --samples 60 --steps 200 --starts 2 --step-samples 4 --chains 3 --temperatures 8 --threads 1 --progress none'

# --- table and files
# shellcheck disable=SC2086
ok "$ELBOW" gap run $small
says '^nats per datum +train, n = 12 +test, n = 12$'
says '^approximation gap +-?[0-9]+\.[0-9]+ \+- [0-9.]+ +-?[0-9]'
says '^amortisation gap '
says '^inference gap '
says '^L\[q\*\], diagonal Gaussian \* '
says '^L\[q\*\], flow '
says '^q\(z\|x\) is .* nats below log p\(x\) on test data'
for file in gap.json gap.svg gap.png gap-train.csv gap-train.npz gap-test.csv gap-test.npz worst-train.png worst-test.png; do
    [ -s "run/gap/$file" ] || fail "no $file"
done
json run/gap/gap.json
[ "$(wc -l <run/gap/gap-test.csv)" -eq 13 ] || fail 'not one line for each datum'
[ "$(find run/gap -name '*.partial' | wc -l)" -eq 0 ] || fail 'what was kept while it worked is still there'

# --- --json is the file
# shellcheck disable=SC2086
ok "$ELBOW" gap run $small --part test --optima none --json --out one
json
for key in approximation amortisation inference mean standard_error; do says "\"$key\"" out; done
says '"test": \{' out
grep -q '"train"' out && fail 'a part that was not asked for'
grep -q '"full"' out && fail 'an optimum that was not asked for'

# --- killed and stopped, it goes on
for signal in KILL TERM INT; do
    for delay in 0.2 0.5; do
        # shellcheck disable=SC2086
        "$ELBOW" gap run $small --out stopped >out 2>err </dev/null &
        pid=$!
        sleep "$delay"
        kill -"$signal" "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
done
# shellcheck disable=SC2086
ok "$ELBOW" gap run $small --out stopped
same stopped/gap-test.csv run/gap/gap-test.csv
same stopped/gap-train.csv run/gap/gap-train.csv

# --- threads change nothing
# shellcheck disable=SC2086
ok "$ELBOW" gap run $small --part test --threads 3 --out threads
same threads/gap-test.csv run/gap/gap-test.csv

# --- a picture
# shellcheck disable=SC2086
ok "$ELBOW" gap run $small --picture
[ -s run/gap/picture.svg ] && [ -s run/gap/picture.png ] || fail 'no picture'
says 'largest approximation' run/gap/picture.svg
# shellcheck disable=SC2086
ok "$ELBOW" gap run $small --picture --indices 3,5,3 --optima none --out three
says 'datum 5<' three/picture.svg

# --- refusals
refuse 2 'limit 100: .* has 40 data' "$ELBOW" gap run --limit 100 --threads 1
refuse 2 'none of full, flow' "$ELBOW" gap run --optima fool --limit 5 --threads 1
refuse 2 'indices belongs to --picture' "$ELBOW" gap run --indices 3 --limit 5 --threads 1
refuse 2 'no list' "$ELBOW" gap run --picture --indices 3, --limit 5 --threads 1
refuse 2 'there is no datum 99' "$ELBOW" gap run --picture --indices 99 --limit 5 --threads 1
refuse 2 'say where with --out' "$ELBOW" gap run/model.safetensors --limit 5
refuse 1 'no run|No such file' "$ELBOW" gap nothing --out o --limit 5
images large.npy 10
npy wide.npy '|u1' '10, 5, 5'
bytes 250 1 >>wide.npy
refuse 4 'takes data of 16 values' "$ELBOW" gap run --data wide.npy --limit 5 --threads 1
ok "$ELBOW" train --data small.npy --out three-d --set model.hidden=8 --set posterior.hidden=8 --set model.latent=3 \
    --set train.epochs=1 --threads 1 --progress none
refuse 4 '2 latent numbers, and this one has 3' "$ELBOW" gap three-d --picture --limit 5 --threads 1
# rows of other work are not gone on with
# shellcheck disable=SC2086
"$ELBOW" gap run $small --temperatures 300 --out other >out 2>err </dev/null &
pid=$!
while ! [ -s other/gap-train-encoder.partial ] && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
kill -INT "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
if [ -s other/gap-train-encoder.partial ]; then
    # shellcheck disable=SC2086
    refuse 2 'other settings, data or model' "$ELBOW" gap run $small --samples 61 --out other
fi
