// Counts heap allocations, preloaded in front of the C library (Linux, glibc): LD_PRELOAD=liballoc_count.so petrel-bench
//
// A program finds the four functions below by dlsym. Counting is off until it asks, and tells allocations apart by who
// called: the C libraries behind Petrel (named in `libraries`), or anything else, which is Petrel, the Swift library
// and, where a driver runs, NIO.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static const char *const libraries[] = {"libsrtp",  "libnss",    "libfreebl", "libsoftokn", "libnspr",
                                        "libplc4",  "libplds4",  "libcrypto", "libssl",     "libvpx",
                                        "libopus"};

struct range {
    uintptr_t begin, end;
};

static struct range ranges[256];
static int range_count;
// How many libraries had been loaded when the ranges were noted.
static unsigned long long noted;
static atomic_int counting;
static atomic_uint_fast64_t own, foreign;
// Call stacks of own allocations still to be printed: for finding where one comes from.
static atomic_int traces;
static __thread int inside;

static int ask_loaded(struct dl_phdr_info *info, size_t size, void *loaded) {
    (void)size;
    *(unsigned long long *)loaded = info->dlpi_adds;
    return 1;
}

static int note_library(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    (void)context;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;
    int matches = 0;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        matches |= strncmp(name, libraries[i], strlen(libraries[i])) == 0;
    for (int i = 0; matches && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || range_count == 256) continue;
        ranges[range_count].begin = info->dlpi_addr + header->p_vaddr;
        ranges[range_count++].end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
    }
    return 0;
}

// Counts from zero, on all threads.
void petrel_allocations_start(void) {
    unsigned long long loaded = 0;
    dl_iterate_phdr(ask_loaded, &loaded);
    // A cipher may load more libraries when it is first used.
    if (loaded != noted) {
        range_count = 0;
        dl_iterate_phdr(note_library, NULL);
    }
    if (noted == 0) {
        void *stack[4];
        backtrace(stack, 4);  // loads what it needs now, and not in the middle of a count
        const char *wanted = getenv("PETREL_ALLOC_TRACES");
        atomic_store(&traces, wanted ? atoi(wanted) : 0);
    }
    noted = loaded;
    atomic_store(&own, 0);
    atomic_store(&foreign, 0);
    atomic_store(&counting, 1);
}

void petrel_allocations_stop(void) { atomic_store(&counting, 0); }
// Allocations since the start by anything but the C libraries.
uint64_t petrel_allocations_own(void) { return atomic_load(&own); }
// Allocations since the start by the C libraries.
uint64_t petrel_allocations_libraries(void) { return atomic_load(&foreign); }

static void count(void *caller) {
    if (!atomic_load_explicit(&counting, memory_order_relaxed) || inside) return;
    uintptr_t address = (uintptr_t)caller;
    for (int i = 0; i < range_count; i++) {
        if (address >= ranges[i].begin && address < ranges[i].end) {
            atomic_fetch_add_explicit(&foreign, 1, memory_order_relaxed);
            return;
        }
    }
    atomic_fetch_add_explicit(&own, 1, memory_order_relaxed);
    if (atomic_load_explicit(&traces, memory_order_relaxed) > 0 && atomic_fetch_sub(&traces, 1) > 0) {
        inside = 1;
        void *stack[24];
        backtrace_symbols_fd(stack, backtrace(stack, 24), STDERR_FILENO);
        (void)!write(STDERR_FILENO, "\n", 1);
        inside = 0;
    }
}

void *malloc(size_t size) {
    count(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count(__builtin_return_address(0));
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count(__builtin_return_address(0));
    return __libc_realloc(old, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    count(__builtin_return_address(0));
    *result = __libc_memalign(alignment, size);
    return *result ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}
