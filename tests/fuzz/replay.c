/* replay.c - a fuzzer's corpus without libFuzzer: every file of the folder ELBOW_CORPUS, cut short at many lengths and
 * with many single bytes changed, always the same ones. A reader passes by returning (under a sanitizer, cleanly). */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_CUTS = 64, REPLAY_CHANGES = 256, REPLAY_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly `size` bytes, so that a sanitizer sees the first byte read past the end. */
static void replay_one(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void replay_variations(uint8_t *bytes, size_t size)
{
    replay_one(bytes, size);
    for (size_t i = 0; i < REPLAY_CUTS; i++) replay_one(bytes, size * i / REPLAY_CUTS);
    uint64_t state = size;
    for (size_t i = 0; size && i < REPLAY_CHANGES; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        /* Half of the changes go to the first 256 bytes, where the headers are. */
        size_t at = (size_t)(state >> 33) % (i % 2 && size > 256 ? 256 : size);
        uint8_t kept = bytes[at];
        bytes[at] ^= (uint8_t)(1 + (state >> 25) % 255);
        replay_one(bytes, size);
        bytes[at] = kept;
    }
}

int main(void)
{
    static uint8_t bytes[REPLAY_LIMIT];
    const char *folder = getenv("ELBOW_CORPUS");
    DIR *entries = folder ? opendir(folder) : NULL;
    int files = 0;
    if (!entries) {
        fprintf(stderr, "replay: no corpus folder %s; put at least one valid file there\n",
                folder ? folder : "(ELBOW_CORPUS)");
        return 1;
    }
    for (struct dirent *e; (e = readdir(entries));) {
        char path[4096];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        FILE *file = fopen(path, "rb");
        if (!file) {
            perror(path);
            return 1;
        }
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        replay_variations(bytes, size);
        files++;
    }
    closedir(entries);
    printf("%d files\n", files);
    return files ? 0 : 1;
}
