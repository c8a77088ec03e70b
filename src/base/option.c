/* option.c - typed, range-checked values behind dotted keys. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/option.h"

enum { OPTION_KEY_MAX = 128, OPTION_WORD_MAX = 64 };

/* A parsed value before it is stored: on failure nothing changes. */
typedef union option_value {
    bool boolean;
    int64_t integer;
    double real;
    int choice;
    const char *text;
    elb_ints ints;
} option_value;

/* --- suggestions --- */

static int option_min(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, ignoring case. Words longer
 * than OPTION_WORD_MAX are near nothing. */
static int option_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > OPTION_WORD_MAX || m > OPTION_WORD_MAX) return OPTION_WORD_MAX;
    int rows[3][OPTION_WORD_MAX + 1];
    for (size_t j = 0; j <= m; j++) rows[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int p = tolower((unsigned char)a[i - 1]), q = tolower((unsigned char)b[j - 1]);
            row[j] = option_min(above[j - 1] + (p != q), option_min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && p == tolower((unsigned char)b[j - 2]) && q == tolower((unsigned char)a[i - 2]))
                row[j] = option_min(row[j], before[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

/* A third of the word may be wrong before a suggestion would only puzzle. */
static int option_tolerance(const char *word)
{
    size_t third = strlen(word) / 3;
    return third < 1 ? 1 : third > 4 ? 4 : (int)third;
}

const char *elb_did_you_mean(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    int best = option_tolerance(word) + 1;
    for (; *names; names++) {
        int d = option_distance(word, *names);
        if (d < best) {
            best = d;
            nearest = *names;
        }
    }
    return nearest;
}

static void option_key(const elb_section *s, const elb_option *o, char key[OPTION_KEY_MAX])
{
    snprintf(key, OPTION_KEY_MAX, "%s%s%s", s->name, *s->name ? "." : "", o->name);
}

/* Also finds "rate" and "train.rate" when only "optimizer.rate" exists: the right name in the wrong place. */
static bool option_suggest_key(const elb_section *sections, const char *word, char nearest[OPTION_KEY_MAX])
{
    const char *dot = strrchr(word, '.'), *last = dot ? dot + 1 : word;
    int limit = 2 * option_tolerance(word) + 1, best = limit + 1;
    char key[OPTION_KEY_MAX];
    for (const elb_section *s = sections; s->options; s++)
        for (const elb_option *o = s->options; o->name; o++) {
            option_key(s, o, key);
            int d = 2 * option_distance(word, key);
            if (d > 3 && strcmp(last, o->name) == 0) d = 3; /* as far as one and a half letters */
            if (d >= best) continue;
            best = d;
            memcpy(nearest, key, sizeof key);
        }
    return best <= limit;
}

static void option_append(char *text, size_t size, const char *separator, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? separator : "", word);
}

static elb_status option_unknown(elb_context *c, const elb_section *sections, const char *key)
{
    char list[1024] = "", nearest[OPTION_KEY_MAX];
    if (option_suggest_key(sections, key, nearest))
        return elb_fail(c, ELB_USAGE, "unknown key '%s'; did you mean '%s'?", key, nearest);
    const char *dot = strchr(key, '.');
    size_t length = dot ? (size_t)(dot - key) : 0;
    for (const elb_section *s = sections; s->options; s++) {
        if (!dot || strlen(s->name) != length || strncmp(s->name, key, length) != 0) continue;
        for (const elb_option *o = s->options; o->name; o++) option_append(list, sizeof list, ", ", o->name);
        return elb_fail(c, ELB_USAGE, "unknown key '%s'; the keys of '%s' are %s", key, s->name, list);
    }
    for (const elb_section *s = sections; s->options; s++)
        if (*s->name) option_append(list, sizeof list, ", ", s->name);
    return elb_fail(c, ELB_USAGE, "unknown key '%s'; keys are named section.key, and the sections are %s", key, list);
}

const elb_option *elb_options_find(const elb_section *sections, const char *key, const elb_section **section)
{
    for (const elb_section *s = sections; s->options; s++) {
        size_t length = strlen(s->name);
        if (length > 0 && (strncmp(key, s->name, length) != 0 || key[length] != '.')) continue;
        for (const elb_option *o = s->options; o->name; o++)
            if (strcmp(key + length + (length > 0), o->name) == 0) {
                if (section) *section = s;
                return o;
            }
    }
    return NULL;
}

/* --- description --- */

const char *elb_option_type(const elb_option *o)
{
    switch (o->kind) {
    case ELB_OPTION_BOOL: return "bool";
    case ELB_OPTION_INT: return "int";
    case ELB_OPTION_REAL: return "real";
    case ELB_OPTION_CHOICE: return "choice";
    case ELB_OPTION_TEXT: return "text";
    case ELB_OPTION_INTS: return "ints";
    }
    return "unknown";
}

void elb_option_range(const elb_option *o, char *text, size_t size)
{
    char low[ELB_NUMBER_SIZE], high[ELB_NUMBER_SIZE];
    elb_number_format(o->min, low);
    elb_number_format(o->max, high);
    text[0] = '\0';
    switch (o->kind) {
    case ELB_OPTION_BOOL: snprintf(text, size, "true or false"); break;
    case ELB_OPTION_INT:
        snprintf(text, size, "%s%sa whole number from %.0f to %.0f", o->zero != NULL ? o->zero : "",
                 o->zero != NULL ? ", or " : "", o->min, o->max);
        break;
    case ELB_OPTION_REAL: snprintf(text, size, "a number from %s to %s", low, high); break;
    case ELB_OPTION_TEXT:
        snprintf(text, size, "%s of at most %d bytes", o->list ? "words with commas between them," : "text",
                 ELB_TEXT_MAX - 1);
        break;
    case ELB_OPTION_INTS:
        snprintf(text, size, "up to %d whole numbers from %.0f to %.0f with commas between them", ELB_INTS_MAX, o->min,
                 o->max);
        break;
    case ELB_OPTION_CHOICE:
        snprintf(text, size, "one of %s", o->choices[0]);
        for (const char *const *p = o->choices + 1; *p; p++) option_append(text, size, ", ", *p);
        break;
    }
}

/* --- text to value --- */

static bool option_parse_bool(const char *text, bool *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    return false;
}

static bool option_parse_choice(const elb_option *o, const char *text, int *value)
{
    for (int i = 0; o->choices[i]; i++)
        if (strcmp(text, o->choices[i]) == 0) {
            *value = i;
            return true;
        }
    return false;
}

static bool option_parse_int(const elb_option *o, const char *text, int64_t *value)
{
    return elb_integer_parse(text, value) && (double)*value >= o->min && (double)*value <= o->max;
}

static bool option_is_zero(const elb_option *o, const char *text)
{
    return o->zero != NULL && strcmp(text, o->zero) == 0;
}

/* The next item of "200, 200", without its spaces. */
static const char *option_next_item(const char *text, char item[ELB_NUMBER_SIZE])
{
    size_t length = strcspn(text, ","), last = length;
    const char *next = text + length;
    while (*text == ' ') text++, last--;
    while (last > 0 && text[last - 1] == ' ') last--;
    item[0] = '\0';
    if (last < ELB_NUMBER_SIZE) {
        memcpy(item, text, last);
        item[last] = '\0';
    }
    return next;
}

static bool option_parse_ints(const elb_option *o, const char *text, elb_ints *value)
{
    char inside[ELB_TEXT_MAX], item[ELB_NUMBER_SIZE];
    size_t length = strlen(text);
    if (length >= sizeof inside) return false;
    bool brackets = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    memcpy(inside, text + brackets, length + 1 - (size_t)brackets);
    if (brackets) inside[length - 2] = '\0';

    value->count = 0;
    const char *at = inside + strspn(inside, " ");
    if (!*at) return true;
    for (;; at++) {
        at = option_next_item(at, item);
        if (value->count == ELB_INTS_MAX || !option_parse_int(o, item, &value->at[value->count])) return false;
        value->count++;
        if (!*at) return true;
    }
}

/* One UTF-8 character of `text`: its length, or 0 when it is malformed, a control or separator, or not a character. */
static int option_character(const unsigned char *text)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    int length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (length <= 1) return first >= 0x20 && first < 0x7f;
    uint32_t code = first & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if (text[i] >> 6 != 2) return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff, separator = code < 0xa0 || code == 0x2028 || code == 0x2029;
    bool other = code == 0xfeff || (code & 0xfffe) == 0xfffe || code > 0x10ffff;
    return code < smallest[length] || surrogate || separator || other ? 0 : length;
}

/* Text must survive a YAML file and one line of a terminal. */
static elb_status option_check_text(elb_context *c, const char *key, const char *text)
{
    if (strlen(text) >= ELB_TEXT_MAX)
        return elb_fail(c, ELB_USAGE, "%s has %zu bytes, but at most %d are accepted", key, strlen(text),
                        ELB_TEXT_MAX - 1);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int length = option_character(p);
        if (length == 0)
            return elb_fail(c, ELB_USAGE, "%s is '%s', which has a control character or is not valid UTF-8", key, text);
        p += length;
    }
    return ELB_OK;
}

static elb_status option_parse(elb_context *c, const elb_option *o, const char *key, const char *text,
                               option_value *value)
{
    bool good = false;
    const char *nearest = NULL;
    switch (o->kind) {
    case ELB_OPTION_BOOL: good = option_parse_bool(text, &value->boolean); break;
    case ELB_OPTION_INT:
        good = option_is_zero(o, text) || option_parse_int(o, text, &value->integer); /* value is all zeros */
        break;
    case ELB_OPTION_REAL:
        good = elb_number_parse(text, &value->real) && value->real >= o->min && value->real <= o->max;
        break;
    case ELB_OPTION_CHOICE:
        good = option_parse_choice(o, text, &value->choice);
        if (!good) nearest = elb_did_you_mean(text, o->choices);
        break;
    case ELB_OPTION_INTS: good = option_parse_ints(o, text, &value->ints); break;
    case ELB_OPTION_TEXT: value->text = text; return option_check_text(c, key, text);
    }
    if (good) return ELB_OK;
    char range[1024];
    elb_option_range(o, range, sizeof range);
    elb_status status = elb_fail(c, ELB_USAGE, "%s is '%.200s', but %s is expected", key, text, range);
    if (nearest) elb_fail(c, status, "%s; did you mean '%s'?", elb_context_message(c), nearest);
    return status;
}

/* Clears the rest, so that equal options are equal bytes. `text` may be the old value itself. */
static void option_store_text(char *at, const char *text)
{
    size_t length = strlen(text);
    memmove(at, text, length + 1);
    memset(at + length, 0, ELB_TEXT_MAX - length);
}

static void option_store(const elb_section *s, const elb_option *o, const option_value *value)
{
    void *at = (char *)s->values + o->offset;
    switch (o->kind) {
    case ELB_OPTION_BOOL: memcpy(at, &value->boolean, sizeof value->boolean); break;
    case ELB_OPTION_INT: memcpy(at, &value->integer, sizeof value->integer); break;
    case ELB_OPTION_REAL: memcpy(at, &value->real, sizeof value->real); break;
    case ELB_OPTION_CHOICE: memcpy(at, &value->choice, sizeof value->choice); break;
    case ELB_OPTION_INTS: memcpy(at, &value->ints, sizeof value->ints); break;
    case ELB_OPTION_TEXT: option_store_text(at, value->text); break;
    }
}

elb_status elb_options_set(elb_context *c, const elb_section *sections, const char *key, const char *value)
{
    const elb_section *section = NULL;
    const elb_option *option = elb_options_find(sections, key, &section);
    if (!option) return option_unknown(c, sections, key);
    option_value parsed;
    memset(&parsed, 0, sizeof parsed);
    ELB_TRY(option_parse(c, option, key, value, &parsed));
    option_store(section, option, &parsed);
    return ELB_OK;
}

elb_status elb_options_reset(elb_context *c, const elb_section *sections)
{
    char key[OPTION_KEY_MAX];
    for (const elb_section *s = sections; s->options; s++)
        for (const elb_option *o = s->options; o->name; o++) {
            option_key(s, o, key);
            ELB_TRY(elb_options_set(c, sections, key, o->fallback));
        }
    return ELB_OK;
}

/* --- value to text --- */

static void option_format_ints(const elb_ints *ints, char *text, size_t size)
{
    char item[ELB_NUMBER_SIZE];
    text[0] = '\0';
    for (int64_t i = 0; i < ints->count; i++) {
        snprintf(item, sizeof item, "%lld", (long long)ints->at[i]);
        option_append(text, size, ",", item);
    }
}

static void option_format_int(const elb_option *o, int64_t value, char text[ELB_TEXT_MAX])
{
    if (value == 0 && o->zero != NULL)
        snprintf(text, ELB_TEXT_MAX, "%s", o->zero);
    else
        snprintf(text, ELB_TEXT_MAX, "%lld", (long long)value);
}

static void option_format(const elb_option *o, const void *at, char text[ELB_TEXT_MAX])
{
    switch (o->kind) {
    case ELB_OPTION_BOOL: snprintf(text, ELB_TEXT_MAX, "%s", *(const bool *)at ? "true" : "false"); break;
    case ELB_OPTION_INT: option_format_int(o, *(const int64_t *)at, text); break;
    case ELB_OPTION_REAL: elb_number_format(*(const double *)at, text); break;
    case ELB_OPTION_CHOICE: snprintf(text, ELB_TEXT_MAX, "%s", o->choices[*(const int *)at]); break;
    case ELB_OPTION_TEXT: snprintf(text, ELB_TEXT_MAX, "%s", (const char *)at); break;
    case ELB_OPTION_INTS: option_format_ints(at, text, ELB_TEXT_MAX); break;
    }
}

elb_status elb_options_get(elb_context *c, const elb_section *sections, const char *key, char *text, size_t size)
{
    char whole[ELB_TEXT_MAX];
    const elb_section *section = NULL;
    const elb_option *option = elb_options_find(sections, key, &section);
    if (!option) return option_unknown(c, sections, key);
    option_format(option, (const char *)section->values + option->offset, whole);
    size_t length = strlen(whole);
    if (length >= size)
        return elb_fail(c, ELB_USAGE, "the value of %s needs %zu bytes, and %zu were given", key, length + 1, size);
    memcpy(text, whole, length + 1);
    return ELB_OK;
}
