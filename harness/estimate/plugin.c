/*
 * A QEMU plugin that counts what a program executes between two markers, and which cache would have served its data.
 *
 * The markers are instructions that every AArch64 core executes as "no operation" (HINT with numbers that the
 * architecture leaves free). A program on the board executes them; the plugin sees them:
 *
 *     hint #98  arm      from now on blocks are counted and memory accesses are looked at
 *     hint #96  start    a region begins: all counts are zero, the caches keep what they hold
 *     hint #97  end      the region ends and is written to <out>/region-<number>
 *     hint #99  disarm   back to no instrumentation
 *
 * Until it is armed, the plugin looks at each block once, when QEMU translates it, and adds nothing to it.
 *
 * Options:  out=FOLDER               where regions are written; an existing folder
 *           caches=KIB:WAYS[:...]    data caches from the first level on, KiB and ways of each; lines are 64 bytes
 *           probe=on                 say which plugin API QEMU has, and let it end
 *
 * A region's file:
 *
 *     levels N
 *     block ADDRESS EXECUTIONS SERVED_BY_2 ... SERVED_BY_N SERVED_BY_MEMORY CODE
 *     end
 *
 * ADDRESS is hexadecimal, CODE is the block's instructions, eight hexadecimal digits each. SERVED counts cache lines.
 *
 * API is the version of QEMU's plugin interface (qemu-plugin.h, which Debian and Ubuntu do not package), given by the
 * compiler's command line. What is used of the interface is declared below. One emulated core only, so nothing is locked.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- QEMU's plugin interface ---- */

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
} qemu_info_t;
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };
typedef void (*plugin_callback)(qemu_plugin_id_t);
typedef void (*translation_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*execution_callback)(unsigned core, void *data);
typedef void (*memory_callback)(unsigned core, qemu_plugin_meminfo_t, uint64_t address, void *data);

void qemu_plugin_reset(qemu_plugin_id_t, plugin_callback);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translation_callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, execution_callback, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, execution_callback, int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, memory_callback, int flags, int which, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
#if API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *to, size_t bytes);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
#endif

#define PUBLIC __attribute__((visibility("default")))
PUBLIC int qemu_plugin_version = API;

/* ---- what is counted ---- */

enum { START = 0xD5032C1F, END = 0xD5032C3F, ARM = 0xD5032C5F, DISARM = 0xD5032C7F }; /* hint #96, #97, #98, #99 */
enum { MAX_LEVELS = 3, MAX_INSTRUCTIONS = 1024, BUCKETS = 1 << 16 };

typedef struct Block {
    uint64_t address;
    uint64_t executions;
    uint64_t served[MAX_LEVELS + 1]; /* lines that came from this level; the one after the last is memory */
    uint32_t hash, length;
    struct Block *next;              /* in the same bucket */
    struct Block *older;             /* in the list of all */
    uint32_t code[];
} Block;

static Block *buckets[BUCKETS], *newest;
static bool in_region;
static unsigned regions;
static char folder[4096];
static qemu_plugin_id_t self;

/* ---- caches: write-back, write-allocate, least recently used line is replaced ---- */

typedef struct {
    uint32_t sets, ways;
    uint64_t *lines; /* sets of `ways` lines, most recently used first; zero is empty */
} Cache;

#define LINE_SHIFT 6
#define DIRTY (1ull << 63)
static Cache caches[MAX_LEVELS];
static int levels;

/* Moves `count` lines of a set one place back and puts `line` in front. */
static void put_in_front(uint64_t *set, uint32_t count, uint64_t line) {
    memmove(set + 1, set, count * sizeof *set);
    set[0] = line;
}

static uint64_t *set_of(int level, uint64_t line) {
    return caches[level].lines + (line % caches[level].sets) * caches[level].ways;
}

/* Where in a set a line is; `ways` when it is not there. */
static uint32_t place_of(const uint64_t *set, uint32_t ways, uint64_t line) {
    uint32_t way = 0;
    while (way < ways && (set[way] & ~DIRTY) != line) way++;
    return way;
}

static void write_back(int level, uint64_t line);

/* Puts a line that is not in this cache there, in place of the one that was not used for longest. */
static void fill(int level, uint64_t *set, uint64_t line) {
    uint64_t victim = set[caches[level].ways - 1];
    put_in_front(set, caches[level].ways - 1, line);
    if (victim & DIRTY) write_back(level + 1, victim & ~DIRTY);
}

static void write_back(int level, uint64_t line) {
    if (level == levels) return;
    uint64_t *set = set_of(level, line);
    uint32_t way = place_of(set, caches[level].ways, line);
    if (way < caches[level].ways) put_in_front(set, way, line | DIRTY);
    else fill(level, set, line | DIRTY);
}

/* Brings a line to this level and says which level had it; `levels` is memory. */
static int fetch(int level, uint64_t line, uint64_t dirty) {
    if (level == levels) return levels;
    uint64_t *set = set_of(level, line);
    uint32_t way = place_of(set, caches[level].ways, line);
    if (way < caches[level].ways) {
        put_in_front(set, way, set[way] | dirty);
        return level;
    }
    int source = fetch(level + 1, line, 0);
    fill(level, set, line | dirty);
    return source;
}

static uint64_t last_line;
static bool last_dirty;

static void on_memory(unsigned core, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
    Block *block = data;
    uint64_t end = address + (1ull << qemu_plugin_mem_size_shift(info)) - 1;
    bool store = qemu_plugin_mem_is_store(info);
    (void)core;
    /* one more, so that no line is zero; the top bit, which marks dirty lines, is cut off */
    for (uint64_t line = (address >> LINE_SHIFT) + 1; line <= (end >> LINE_SHIFT) + 1; line++) {
        if (line == last_line && (last_dirty || !store)) continue; /* most accesses: nothing can change */
        last_dirty = store || (line == last_line && last_dirty);
        last_line = line;
        int source = fetch(0, line, store ? DIRTY : 0);
        if (in_region) block->served[source]++;
    }
}

/* ---- regions ---- */

static void write_region(void) {
    char whole[sizeof folder + 32], part[sizeof whole + 8];
    snprintf(whole, sizeof whole, "%s/region-%u", folder, regions++);
    snprintf(part, sizeof part, "%s.part", whole);
    FILE *file = fopen(part, "w");
    if (!file) return;
    fprintf(file, "levels %d\n", levels);
    for (Block *block = newest; block; block = block->older) {
        if (!block->executions) continue;
        fprintf(file, "block %llx %llu", (unsigned long long)block->address, (unsigned long long)block->executions);
        for (int level = 1; level <= levels; level++) fprintf(file, " %llu", (unsigned long long)block->served[level]);
        fputc(' ', file);
        for (uint32_t i = 0; i < block->length; i++) fprintf(file, "%08x", block->code[i]);
        fputc('\n', file);
    }
    fputs("end\n", file);
    bool written = !ferror(file);
    if (fclose(file) == 0 && written) rename(part, whole);
}

static void on_start(unsigned core, void *data) {
    (void)core, (void)data;
    for (Block *block = newest; block; block = block->older) {
        block->executions = 0;
        memset(block->served, 0, sizeof block->served);
    }
    in_region = true;
}

static void on_end(unsigned core, void *data) {
    (void)core, (void)data;
    if (in_region) write_region();
    in_region = false;
}

static void on_block(unsigned core, void *data) {
    (void)core;
    if (in_region) ((Block *)data)->executions++;
}

/* ---- translation ---- */

static uint32_t instruction(const struct qemu_plugin_insn *insn) {
    uint32_t word = 0;
#if API >= 3
    qemu_plugin_insn_data(insn, &word, sizeof word);
#else
    memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
#endif
    return word;
}

/* The block with this code at this address: the one from an earlier translation, or a new one. */
static Block *block_of(uint64_t address, const uint32_t *code, uint32_t length) {
    uint32_t hash = 2166136261u ^ (uint32_t)(address >> 2); /* FNV-1a over words */
    for (uint32_t i = 0; i < length; i++) hash = (hash ^ code[i]) * 16777619u, hash ^= hash >> 15;
    Block **bucket = &buckets[hash % BUCKETS];
    for (Block *block = *bucket; block; block = block->next)
        if (block->hash == hash && block->address == address && block->length == length
            && !memcmp(block->code, code, length * sizeof *code)) return block;
    Block *block = calloc(1, sizeof *block + length * sizeof *code);
    if (!block) abort();
    memcpy(block->code, code, length * sizeof *code);
    block->address = address, block->hash = hash, block->length = length;
    block->next = *bucket, *bucket = block;
    block->older = newest, newest = block;
    return block;
}

static void on_arm(unsigned core, void *data);
static void on_disarm(unsigned core, void *data);

/* Loads and stores: bits 27 and 25 of an A64 instruction are 1 and 0 (Arm ARM, C4.1). */
static bool accesses_memory(uint32_t word) { return ((word >> 25) & 5) == 4; }

static void while_armed(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    uint32_t code[MAX_INSTRUCTIONS];
    size_t length = qemu_plugin_tb_n_insns(tb);
    (void)id;
    if (length > MAX_INSTRUCTIONS) length = MAX_INSTRUCTIONS; /* QEMU's own limit is 512 */
    for (size_t i = 0; i < length; i++) code[i] = instruction(qemu_plugin_tb_get_insn(tb, i));
    Block *block = block_of(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)), code, length);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGISTERS, block);
    for (size_t i = 0; i < length; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        execution_callback marker = code[i] == START ? on_start : code[i] == END ? on_end : NULL;
        if (code[i] == DISARM) marker = on_disarm;
        if (marker) qemu_plugin_register_vcpu_insn_exec_cb(insn, marker, NO_REGISTERS, NULL);
        else if (levels && accesses_memory(code[i]))
            qemu_plugin_register_vcpu_mem_cb(insn, on_memory, NO_REGISTERS, READS_AND_WRITES, block);
    }
}

static void while_idle(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        if (instruction(insn) == ARM) qemu_plugin_register_vcpu_insn_exec_cb(insn, on_arm, NO_REGISTERS, NULL);
    }
}

/* A reset makes QEMU forget all translations, so that each block is seen again when it is executed next. */
static void armed(qemu_plugin_id_t id) { qemu_plugin_register_vcpu_tb_trans_cb(id, while_armed); }
static void disarmed(qemu_plugin_id_t id) { qemu_plugin_register_vcpu_tb_trans_cb(id, while_idle); }

static void on_arm(unsigned core, void *data) {
    (void)core, (void)data;
    qemu_plugin_reset(self, armed);
}

static void on_disarm(unsigned core, void *data) {
    (void)core, (void)data;
    in_region = false;
    qemu_plugin_reset(self, disarmed);
}

/* ---- start ---- */

static bool read_caches(const char *text) {
    for (levels = 0; levels < MAX_LEVELS && *text; levels++) {
        Cache *cache = &caches[levels];
        unsigned kib, ways;
        int used;
        if (sscanf(text, "%u:%u%n", &kib, &ways, &used) != 2 || !ways || kib * 16 < ways) return false;
        cache->ways = ways, cache->sets = kib * 1024 / (1 << LINE_SHIFT) / ways;
        cache->lines = calloc((size_t)cache->sets * ways, sizeof *cache->lines);
        if (!cache->lines) return false;
        text += used;
        if (*text == ':') text++;
    }
    return !*text;
}

PUBLIC int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "probe=", 6)) {
            fprintf(stderr, "plugin API %d..%d\n", info->version.min, info->version.cur);
            return 1;
        }
        if (!strncmp(argv[i], "out=", 4)) snprintf(folder, sizeof folder, "%s", argv[i] + 4);
        else if (strncmp(argv[i], "caches=", 7) || !read_caches(argv[i] + 7)) {
            fprintf(stderr, "estimate plugin: what is '%s'?\n", argv[i]);
            return 1;
        }
    }
    if (info->system_emulation && info->system.max_vcpus > 1) {
        fprintf(stderr, "estimate plugin: only boards with one core can be looked at\n");
        return 1;
    }
    self = id;
    disarmed(id);
    return 0;
}
