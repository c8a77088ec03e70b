/* completion.c - elbow completion: scripts for shells, out of the same tables as the help pages. */
#include <string.h>

#include "verbs.h"

static const char completion_sets[] =
    "fashion-mnist mnist synthetic:figure-8 synthetic:circle synthetic:absolute-value synthetic:clusters "
    "synthetic:spiral-dots synthetic:linear-gaussian";

static void completion_key(void *user, const elb_key *key)
{
    (void)user;
    printf(" %s", key->key);
}

static void completion_words(const char *const *words)
{
    for (const char *const *w = words; *w; w++) printf("%s%s", w == words ? "" : " ", *w);
}

static void completion_verbs(void)
{
    for (const cli_verb *const *v = cli_verbs; *v; v++) printf("%s%s", v == cli_verbs ? "" : " ", (*v)->name);
}

static void completion_presets(void)
{
    for (const elb_preset *p = elb_presets(); p->name; p++) printf("%s%s", p == elb_presets() ? "" : " ", p->name);
}

/* --- bash --------------------------------------------------------------------------------------------------------- */

/* An assignment to COMPREPLY, for an option's value or a verb's argument. */
static void completion_bash_reply(cli_words words, const char *const *choices)
{
    const char *files = words == CLI_WORDS_FOLDER                            ? " -d"
                        : words == CLI_WORDS_FILE || words == CLI_WORDS_DATA ? " -f"
                                                                             : "";
    if (words == CLI_WORDS_KEY) fputs("compopt -o nospace; ", stdout);
    printf("COMPREPLY=($(compgen%s%s -W \"", files, words == CLI_WORDS_KEY ? " -S =" : "");
    if (choices) completion_words(choices);
    if (words == CLI_WORDS_DATA) fputs(completion_sets, stdout);
    if (words == CLI_WORDS_PRESET) completion_presets();
    if (words == CLI_WORDS_VERB) completion_verbs();
    if (words == CLI_WORDS_KEY) elb_config_keys(completion_key, NULL);
    fputs("\" -- \"$cur\"))", stdout);
}

static void completion_bash_verb(const cli_verb *verb)
{
    const cli_option *o;
    printf("    %s)\n        case $prev in\n", verb->name);
    for (int i = 0; (o = cli_option_at(verb, i)); i++) {
        if (!o->value) continue;
        printf("        --%s) ", o->name);
        completion_bash_reply(o->words, o->choices);
        puts("; return ;;");
    }
    puts("        esac\n        if [[ $cur == -* ]]; then");
    fputs("            COMPREPLY=($(compgen -W \"", stdout);
    for (int i = 0; (o = cli_option_at(verb, i)); i++) printf("%s--%s", i ? " " : "", o->name);
    fputs("\" -- \"$cur\"))\n        else\n            ", stdout);
    completion_bash_reply(verb->words, NULL);
    puts("\n        fi ;;");
}

static void completion_bash(void)
{
    puts("# bash completion for elbow: source it, or keep it as /etc/bash_completion.d/elbow\n"
         "_elbow() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    COMPREPLY=()");
    fputs("    if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"", stdout);
    completion_verbs();
    puts(" --help --version\" -- \"$cur\")); return; fi\n    case ${COMP_WORDS[1]} in");
    for (const cli_verb *const *v = cli_verbs; *v; v++) completion_bash_verb(*v);
    puts("    esac\n}\ncomplete -o filenames -F _elbow elbow");
}

/* --- zsh ---------------------------------------------------------------------------------------------------------- */

/* Inside single quotes and square brackets. */
static void completion_zsh_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void completion_zsh_values(cli_words words, const char *const *choices)
{
    if (choices || words == CLI_WORDS_PRESET || words == CLI_WORDS_VERB) {
        putchar('(');
        if (choices) completion_words(choices);
        if (words == CLI_WORDS_PRESET) completion_presets();
        if (words == CLI_WORDS_VERB) completion_verbs();
        putchar(')');
    } else if (words == CLI_WORDS_KEY) {
        fputs("{compadd -S = --", stdout);
        elb_config_keys(completion_key, NULL);
        putchar('}');
    } else if (words == CLI_WORDS_DATA) {
        printf("{compadd -- %s; _files}", completion_sets);
    } else if (words != CLI_WORDS_NONE) {
        fputs(words == CLI_WORDS_FOLDER ? "_files -/" : "_files", stdout);
    }
}

static void completion_zsh_option(const cli_option *o)
{
    printf(" \\\n            '%s--%s%s[", o->kind == CLI_LIST ? "*" : "", o->name, o->value ? "=" : "");
    completion_zsh_text(o->help);
    putchar(']');
    if (o->value) {
        putchar(':');
        completion_zsh_text(o->value);
        putchar(':');
        completion_zsh_values(o->words, o->choices);
    }
    putchar('\'');
}

static void completion_zsh_verb(const cli_verb *verb)
{
    const cli_option *o;
    printf("    %s)\n        _arguments", verb->name);
    for (int i = 0; (o = cli_option_at(verb, i)); i++) completion_zsh_option(o);
    if (*verb->arguments) {
        fputs(" \\\n            '*:", stdout);
        completion_zsh_text(verb->arguments);
        putchar(':');
        completion_zsh_values(verb->words, NULL);
        putchar('\'');
    }
    puts(" ;;");
}

static void completion_zsh(void)
{
    puts("#compdef elbow\n# zsh completion for elbow: keep it as _elbow in a folder of $fpath\n"
         "_elbow() {\n    local -a commands\n    commands=(");
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
        printf("        '%s:", (*v)->name);
        completion_zsh_text((*v)->summary);
        puts("'");
    }
    puts("    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
         "    shift words; (( CURRENT-- ))\n    case $words[1] in");
    for (const cli_verb *const *v = cli_verbs; *v; v++) completion_zsh_verb(*v);
    puts("    esac\n}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _elbow \"$@\"; else compdef _elbow elbow; "
         "fi");
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static elb_status completion_run(cli *c, const void *values)
{
    static const char *const shells[] = {"bash", "zsh", NULL};
    char near[128];
    (void)values;
    const char *shell = c->arguments[0];
    if (strcmp(shell, "bash") == 0)
        completion_bash();
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh();
    else
        return cli_fail(c, ELB_USAGE, "there is no completion for '%s', but for bash and zsh%s", shell,
                        cli_suggestion(shell, shells, near, sizeof near));
    return ELB_OK;
}

const cli_verb verb_completion = {
    .name = "completion",
    .summary = "print a script that completes commands in bash or zsh",
    .arguments = "SHELL",
    .details = "SHELL is bash or zsh.",
    .examples = "source <(elbow completion bash)\n"
                "elbow completion zsh >~/.zsh/_elbow",
    .accepts = CLI_ALWAYS,
    .least = 1,
    .most = 1,
    .run = completion_run,
};
