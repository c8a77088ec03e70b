# table.awk - rows of papers/cremer/run.sh's table: means over the data of one gap-<part>.csv, with standard errors.
#   awk -v name=NAME -v part=PART -f table.awk published.txt gap-PART.csv
FNR == 1 { file++ }
file == 1 && $1 == name && part == "train" { for (i = 1; i <= 7; i++) published[i] = $(i + 1); known = 1 }
file == 2 && FNR == 1 { # the columns' places by their names
    FS = ","
    $0 = $0
    for (i = 1; i <= NF; i++) at[$i] = i
    next
}
file == 2 {
    n++
    add(1, $at["log_p"]); add(2, $at["flow_elbo"]); add(3, $at["ffg_elbo"]); add(4, $at["encoder_elbo"])
    add(5, $at["approximation"]); add(6, $at["amortisation"]); add(7, $at["inference"])
    add(8, $at["flow_elbo"] - $at["ffg_elbo"])
}
function add(i, value) { sum[i] += value; squares[i] += value * value }
END {
    line = "| " name ", " part ", n = " n " |"
    for (i = 1; i <= 8; i++) {
        mean = sum[i] / n
        variance = squares[i] / n - mean * mean
        error = n > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0
        line = line sprintf(" %.2f +- %.2f |", mean, error)
    }
    print line
    if (!known) exit
    line = "| published |"
    for (i = 1; i <= 7; i++) line = line " " published[i] " |"
    print line sprintf(" %.2f |", published[2] - published[3])
}
