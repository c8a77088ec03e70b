/* html.c - what a page is written with. */
#include "task/html.h"

#include <string.h>

/* Bytes of the UTF-8 character at `text`, or 0 when there is none that HTML allows. */
static size_t html_character(const unsigned char *text)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (*text < 0x80) return *text >= 0x20 ? *text != 0x7f : *text == '\t' || *text == '\n' || *text == '\r';
    size_t size = *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;
    if (*text < 0xc2 || *text > 0xf4) return 0;
    uint32_t code = *text & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    bool allowed = code >= 0xa0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) && (code & 0xfffe) != 0xfffe;
    return allowed && code >= least[size] ? size : 0;
}

void elb_html_put(elb_writer *w, const char *text)
{
    static const struct {
        char character;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    while (*text) {
        size_t size = html_character((const unsigned char *)text);
        const char *entity = size ? NULL : "\xef\xbf\xbd";
        for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
            if (*text == entities[i].character) entity = entities[i].entity;
        elb_writer_put(w, entity ? entity : text, entity ? strlen(entity) : size);
        text += size ? size : 1;
    }
}

void elb_html_put_base64(elb_writer *w, const uint8_t *bytes, int64_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int64_t i = 0; i < size; i += 3) {
        int have = size - i < 3 ? (int)(size - i) : 3;
        uint32_t three = 0;
        for (int k = 0; k < 3; k++) three = three << 8 | (k < have ? bytes[i + k] : 0u);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63], digits[three >> 6 & 63], digits[three & 63]};
        for (int k = have + 1; k < 4; k++) four[k] = '=';
        elb_writer_put(w, four, sizeof four);
    }
}
