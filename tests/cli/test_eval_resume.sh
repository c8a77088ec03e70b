#!/bin/sh
# elbow eval --estimator ais that was killed or stopped goes on where it stood, and ends with the numbers of one that never was.
. "$(dirname "$0")/lib.sh"
images small.npy 250
ok "$ELBOW" train --data small.npy --out run --set model.hidden=8 --set posterior.hidden=8 --set model.latent=2 \
    --set train.epochs=2 --set train.batch=20 --set data.test=150 --threads 1 --progress none
ais='--estimator ais --temperatures 400 --chains 40 --threads 1 --progress json'

# shellcheck disable=SC2086 # words
ok "$ELBOW" eval run $ais --per-datum whole.csv
cp run/eval-ais.json whole.json

# stop SIGNAL WORD: as soon as the progress says WORD
stop() {
    : >err # of the run before
    # shellcheck disable=SC2086
    "$ELBOW" eval run $ais --per-datum stopped.csv >out 2>err </dev/null &
    pid=$!
    while ! grep -q "\"$2\"" err && kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    kill -"$1" "$pid" 2>/dev/null
    code=0
    wait "$pid" || code=$?
}

stop INT log-likelihood # of the data that are done
[ "$code" -eq 130 ] || fail "exit code $code after SIGINT"
[ -s run/eval-ais.partial ] || fail 'what was done is not kept'
[ ! -e stopped.csv ] || fail 'a table of data that are not done'
stop TERM log-likelihood
[ "$code" -eq 75 ] || fail "exit code $code after SIGTERM"
stop KILL phase
[ "$code" -eq 137 ] || fail "exit code $code after SIGKILL"
[ -s run/eval-ais.partial ] || fail 'what was done before is lost'
# shellcheck disable=SC2086
ok "$ELBOW" eval run $ais --per-datum stopped.csv
same stopped.csv whole.csv
grep -v '"seconds"' run/eval-ais.json >found.json
grep -v '"seconds"' whole.json >expected.json
same found.json expected.json
[ ! -e run/eval-ais.partial ] || fail 'the partial file was not removed'
