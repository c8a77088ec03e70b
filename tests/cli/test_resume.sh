#!/bin/sh
# A run that was killed, interrupted or requeued at any moment ends with the bytes of one that never stopped.
. "$(dirname "$0")/lib.sh"
# Small networks and a checkpoint every sixteenth of a second: many steps, many files half-way when the kill comes.
run='--preset table --data synthetic:figure-8 --set train.epochs=300 --set train.batch=20 --set train.checkpoint_minutes=0.001
    --set data.validation=50 --set model.hidden=16 --set posterior.hidden=16 --threads 1 --progress none'

# what RUN: the log without what no run can repeat, the clock.
what() { sed 's/"seconds": *[^,}]*//; s/"data_per_second": *[^,}]*//' "$1/log.jsonl" | grep -v '"event": *"start"'; }

# alike RUN: the same model and the same log as the run that was left alone.
alike() {
    same "$1/model.safetensors" whole/model.safetensors
    what "$1" >log.found
    same log.found log.expected
}

# begin RUN: starts or resumes it in the background; its process is $pid.
begin() {
    resume=
    [ ! -e "$1/state.safetensors" ] || resume=--resume
    # shellcheck disable=SC2086 # words
    "$ELBOW" train $run --out "$1" $resume >out 2>err </dev/null &
    pid=$!
}

# shellcheck disable=SC2086 # words
ok "$ELBOW" train $run --out whole
what whole >log.expected
[ "$(grep -c '"event": *"epoch"' log.expected)" -eq 300 ] || fail 'the log has not 300 epochs'
took=$(number whole/log.jsonl seconds | awk '{ s += $1 } END { print s }')

# --- kill -9 at random moments
delays=$(awk -v t="$took" -v s="$$" 'BEGIN { srand(s); for (i = 0; i < 10; i++) printf "%.3f ", 0.02 + rand() * (t + 0.1) / 5 }')
echo "the run takes $took s; killed after $delays s"
for delay in $delays; do
    begin killed
    sleep "$delay"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    # Whatever there is, is whole.
    [ ! -e killed/model.safetensors ] || ok "$ELBOW" inspect killed/model.safetensors
done
begin killed
code=0
wait "$pid" || code=$?
[ "$code" -eq 0 ] || fail "exit code $code after the kills"
alike killed

# --- SIGTERM: a checkpoint, 75, and on; SIGINT: the same with 130
for signal in TERM:75 INT:130; do
    folder=stopped-${signal%:*}
    begin "$folder"
    while [ ! -e "$folder/state.safetensors" ]; do sleep 0.01; done
    sleep 0.05
    # A background process of a shell ignores SIGINT until it asks for it, which the command does.
    kill -"${signal%:*}" "$pid"
    code=0
    wait "$pid" || code=$?
    [ "$code" -eq "${signal#*:}" ] || fail "exit code $code after SIG$signal"
    says 'a checkpoint was written' err
    [ ! -s out ] || fail 'an interrupted run printed a result'
    begin "$folder"
    wait "$pid" || fail "the run could not be resumed after SIG$signal"
    alike "$folder"
done

# --- evaluations stop too, and leave nothing behind
"$ELBOW" eval whole --samples 200000 --per-datum each.npz --threads 1 >out 2>err </dev/null &
pid=$!
sleep 0.5
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
[ "$code" -eq 75 ] || fail "exit code $code of an evaluation after SIGTERM"
says 'nothing was written' err
for file in each.npz whole/eval-iwae.json; do [ ! -e $file ] || fail "a stopped evaluation left $file"; done

# --- more epochs may be asked for, another model may not
ok "$ELBOW" train --resume --out whole --set train.epochs=302 --json
[ "$(number out epochs)" = 302 ] || fail 'two epochs more were not trained'
[ "$(grep -c '"event": *"end"' whole/log.jsonl)" -eq 1 ] || fail 'the log does not end once'
before=$(cksum whole/*)
ok "$ELBOW" train --resume --out whole
says 'nothing was left to train'
[ "$(cksum whole/*)" = "$before" ] || fail 'a run that had ended was changed'
refuse 2 'already holds a run; resume' "$ELBOW" train --preset table --data synthetic:figure-8 --out whole
before=$(cksum whole/*)
for change in --set=model.latent=9 --seed=2 --data=synthetic:circle --set=optimizer.rate=0.1 --set=train.batch=30 --preset=avi; do
    code=0
    "$ELBOW" train --resume --out whole "$change" >out 2>err </dev/null || code=$?
    if [ "$code" -lt 2 ] || [ "$code" -gt 4 ]; then fail "exit code $code of a run resumed with $change"; fi
    [ ! -s out ] || fail "a run resumed with $change"
done
[ "$(cksum whole/*)" = "$before" ] || fail 'a refused resumption changed a file'
refuse 1 'nothing|No such file' "$ELBOW" train --resume --out nowhere

# --- one process at a time; and what a stopped run was asked for is remembered
# shellcheck disable=SC2086 # words
ok "$ELBOW" train $run --set train.epochs=2 --out busy
"$ELBOW" train --resume --out busy --set train.epochs=100000 --progress none >out.busy 2>err.busy </dev/null &
pid=$!
while [ "$(wc -l <busy/log.jsonl)" -lt 9 ]; do sleep 0.01; done
refuse 2 'another process trains in busy; wait for it or end it' "$ELBOW" train --resume --out busy
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
[ "$code" -eq 75 ] || fail "exit code $code after SIGTERM"
"$ELBOW" train --resume --out busy --progress none >out 2>err </dev/null &
pid=$!
sleep 0.5
kill -TERM "$pid" 2>/dev/null
code=0
wait "$pid" || code=$?
[ "$code" -eq 75 ] || fail "exit code $code: the epochs asked for were forgotten"
