/*
 * Member names. See member.h.
 */
#include "member.h"

#include "alloc.h"
#include "err.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

/* ---- one name ---- */

/* The name for a message: control characters and other bytes outside ASCII text as \xNN. */
static void shown(struct strbuf *b, const char *raw)
{
    for (size_t i = 0; raw[i] && i < 200; i++) {
        unsigned char c = (unsigned char)raw[i];
        if (c < 0x20 || c == 0x7f) {
            strbuf_addf(b, "\\x%02x", c);
        } else {
            strbuf_addch(b, (char)c);
        }
    }
}

static int refuse(const char *raw, enum err_code code, const char *why, struct err *e)
{
    struct strbuf b;
    strbuf_init(&b);
    shown(&b, raw);
    bool utf8 = str_utf8_valid(strbuf_str(&b)) == b.n;
    err_set(e, code, "the member name '%s' %s", utf8 ? b.p : "(not UTF-8)", why);
    strbuf_release(&b);
    return -1;
}

static int check_whole(const char *raw, size_t n, struct err *e)
{
    if (n == 0) {
        return err_set(e, ERR_FORMAT, "a member has an empty name");
    }
    if (n > MEMBER_NAME_MAX) {
        return refuse(raw, ERR_LIMIT, "is longer than 1024 bytes", e);
    }
    if (str_utf8_valid((struct str){raw, n}) != n) {
        return refuse(raw, ERR_FORMAT, "is not UTF-8; pack it again with UTF-8 names", e);
    }
    if (raw[0] == '/') {
        return refuse(raw, ERR_FORMAT, "is absolute", e);
    }
    if (isalpha((unsigned char)raw[0]) && raw[1] == ':') {
        return refuse(raw, ERR_FORMAT, "begins with a drive letter", e);
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)raw[i] < 0x20 || raw[i] == 0x7f) {
            return refuse(raw, ERR_FORMAT, "holds a control character", e);
        }
        if (raw[i] == '\\') {
            return refuse(raw, ERR_FORMAT, "holds a backslash", e);
        }
    }
    return 0;
}

int member_normal(const char *raw, char out[MEMBER_NAME_MAX + 1], struct err *e)
{
    if (!raw) {
        return err_set(e, ERR_FORMAT, "a member has no name that can be read as UTF-8");
    }
    if (check_whole(raw, strlen(raw), e) < 0) {
        return -1;
    }
    struct str rest = str_from(raw), part;
    size_t n = 0;
    unsigned depth = 0;
    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, ".")) {
            continue;
        }
        if (str_is(part, "..")) {
            return refuse(raw, ERR_FORMAT, "leads out of the archive by '..'", e);
        }
        if (part.n > MEMBER_COMPONENT_MAX) {
            return refuse(raw, ERR_LIMIT, "has a component longer than 255 bytes", e);
        }
        if (++depth > MEMBER_DEPTH_MAX) {
            return refuse(raw, ERR_LIMIT, "is deeper than 32 folders", e);
        }
        if (n > 0) {
            out[n++] = '/';
        }
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    out[n] = '\0';
    return 0;
}

bool member_is_junk(const char *name)
{
    static const char *const junk[] = {".DS_Store", "Thumbs.db", "desktop.ini"};
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    if (strcmp(name, "__MACOSX") == 0 || strncmp(name, "__MACOSX/", 9) == 0 ||
        strncmp(base, "._", 2) == 0) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(junk); i++) {
        if (strcmp(base, junk[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- folding ---- */

/* Lower-case Latin letters that are one code point or letter + mark: UnicodeData.txt 15.0,
 * U+00C0..U+017F, canonical decompositions of two code points. */
static const struct {
    uint16_t whole;
    char letter;
    uint16_t mark;
} compositions[] = {
    {0x0e0, 'a', 0x300}, {0x0e1, 'a', 0x301}, {0x0e2, 'a', 0x302}, {0x0e3, 'a', 0x303},
    {0x0e4, 'a', 0x308}, {0x0e5, 'a', 0x30a}, {0x0e7, 'c', 0x327}, {0x0e8, 'e', 0x300},
    {0x0e9, 'e', 0x301}, {0x0ea, 'e', 0x302}, {0x0eb, 'e', 0x308}, {0x0ec, 'i', 0x300},
    {0x0ed, 'i', 0x301}, {0x0ee, 'i', 0x302}, {0x0ef, 'i', 0x308}, {0x0f1, 'n', 0x303},
    {0x0f2, 'o', 0x300}, {0x0f3, 'o', 0x301}, {0x0f4, 'o', 0x302}, {0x0f5, 'o', 0x303},
    {0x0f6, 'o', 0x308}, {0x0f9, 'u', 0x300}, {0x0fa, 'u', 0x301}, {0x0fb, 'u', 0x302},
    {0x0fc, 'u', 0x308}, {0x0fd, 'y', 0x301}, {0x0ff, 'y', 0x308}, {0x101, 'a', 0x304},
    {0x103, 'a', 0x306}, {0x105, 'a', 0x328}, {0x107, 'c', 0x301}, {0x109, 'c', 0x302},
    {0x10b, 'c', 0x307}, {0x10d, 'c', 0x30c}, {0x10f, 'd', 0x30c}, {0x113, 'e', 0x304},
    {0x115, 'e', 0x306}, {0x117, 'e', 0x307}, {0x119, 'e', 0x328}, {0x11b, 'e', 0x30c},
    {0x11d, 'g', 0x302}, {0x11f, 'g', 0x306}, {0x121, 'g', 0x307}, {0x123, 'g', 0x327},
    {0x125, 'h', 0x302}, {0x129, 'i', 0x303}, {0x12b, 'i', 0x304}, {0x12d, 'i', 0x306},
    {0x12f, 'i', 0x328}, {0x135, 'j', 0x302}, {0x137, 'k', 0x327}, {0x13a, 'l', 0x301},
    {0x13c, 'l', 0x327}, {0x13e, 'l', 0x30c}, {0x144, 'n', 0x301}, {0x146, 'n', 0x327},
    {0x148, 'n', 0x30c}, {0x14d, 'o', 0x304}, {0x14f, 'o', 0x306}, {0x151, 'o', 0x30b},
    {0x155, 'r', 0x301}, {0x157, 'r', 0x327}, {0x159, 'r', 0x30c}, {0x15b, 's', 0x301},
    {0x15d, 's', 0x302}, {0x15f, 's', 0x327}, {0x161, 's', 0x30c}, {0x163, 't', 0x327},
    {0x165, 't', 0x30c}, {0x169, 'u', 0x303}, {0x16b, 'u', 0x304}, {0x16d, 'u', 0x306},
    {0x16f, 'u', 0x30a}, {0x171, 'u', 0x30b}, {0x173, 'u', 0x328}, {0x175, 'w', 0x302},
    {0x177, 'y', 0x302}, {0x17a, 'z', 0x301}, {0x17c, 'z', 0x307}, {0x17e, 'z', 0x30c},
};

/* The next code point of valid UTF-8. */
static uint32_t next_code(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    unsigned more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
    uint32_t code = more == 0 ? s[0] : s[0] & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        code = code << 6 | (s[i] & 0x3fu);
    }
    *p += more + 1;
    return code;
}

#define HASH_SEED 0xcbf29ce484222325u
#define FOLD_SEED 0x9ae16a3b2f90404fu

static uint64_t mix(uint64_t h, uint32_t code)
{
    for (int i = 0; i < 4; i++) { /* FNV-1a, 64 bit */
        h = (h ^ (code >> (8 * i) & 0xff)) * 0x100000001b3u;
    }
    return h;
}

static uint64_t hash_exact(const char *name, size_t n)
{
    uint64_t h = HASH_SEED;
    for (size_t i = 0; i < n; i++) {
        h = mix(h, (unsigned char)name[i]);
    }
    return h;
}

/* Without case, and letters taken apart from their marks. */
static uint64_t hash_folded(const char *name, size_t n)
{
    uint64_t h = FOLD_SEED;
    for (const char *p = name; p < name + n;) {
        uint32_t code = (uint32_t)towlower((wint_t)next_code(&p));
        uint32_t mark = 0;
        for (size_t i = 0; code >= 0xc0 && i < ARRAY_SIZE(compositions); i++) {
            if (compositions[i].whole == code) {
                code = (uint32_t)compositions[i].letter;
                mark = compositions[i].mark;
                break;
            }
        }
        h = mix(h, code);
        h = mark ? mix(h, mark) : h;
    }
    return h;
}

/* ---- the set ---- */

enum member_kind { MEMBER_FILE = 1, MEMBER_FOLDER, MEMBER_FOLD };

struct member_slot {
    uint64_t key;   /* hash of the name, or of its folded form */
    uint64_t value; /* member_kind; for MEMBER_FOLD the hash of the exact name, never 0 */
};

void member_set_init(struct member_set *s)
{
    memset(s, 0, sizeof(*s));
}

void member_set_release(struct member_set *s)
{
    free(s->slots);
    member_set_init(s);
}

static struct member_slot *slot_of(const struct member_set *s, uint64_t key)
{
    size_t i = key & (s->capacity - 1);
    while (s->slots[i].value != 0 && s->slots[i].key != key) {
        i = (i + 1) & (s->capacity - 1);
    }
    return &s->slots[i];
}

static void make_room(struct member_set *s)
{
    if (s->count * 2 < s->capacity) {
        return;
    }
    struct member_set bigger = {.capacity = s->capacity ? s->capacity * 2 : 1024};
    bigger.slots = xcalloc(bigger.capacity, sizeof(*bigger.slots));
    for (size_t i = 0; i < s->capacity; i++) {
        if (s->slots[i].value != 0) {
            *slot_of(&bigger, s->slots[i].key) = s->slots[i];
        }
    }
    free(s->slots);
    s->slots = bigger.slots;
    s->capacity = bigger.capacity;
}

/* Returns the value that was there, or 0 after having set it. */
static uint64_t put(struct member_set *s, uint64_t key, uint64_t value)
{
    make_room(s);
    struct member_slot *slot = slot_of(s, key);
    uint64_t old = slot->value;
    if (old == 0) {
        *slot = (struct member_slot){key, value};
        s->count++;
    }
    return old;
}

static int add_one(struct member_set *s, const char *name, size_t n, bool folder, struct err *e)
{
    uint64_t exact = hash_exact(name, n);
    uint64_t old = put(s, exact, folder ? MEMBER_FOLDER : MEMBER_FILE);
    if (old == MEMBER_FOLDER && folder) {
        return 0;
    }
    if (old != 0) {
        return err_set(e, ERR_FORMAT, "the member '%.*s' is %s", (int)n, name,
                       (old == MEMBER_FILE) == !folder ? "there twice"
                                                       : "a file and a folder at the same time");
    }
    uint64_t meets = put(s, hash_folded(name, n), exact | 1);
    if (meets != 0 && meets != (exact | 1)) {
        if (s->collisions++ == 0) {
            size_t shown_n = n < sizeof(s->collision) ? n : sizeof(s->collision) - 1;
            memcpy(s->collision, name, shown_n);
            s->collision[shown_n] = '\0';
        }
    }
    return 0;
}

int member_set_add(struct member_set *s, const char *name, bool folder, struct err *e)
{
    for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
        if (add_one(s, name, (size_t)(p - name), true, e) < 0) {
            return -1;
        }
    }
    return add_one(s, name, strlen(name), folder, e);
}
