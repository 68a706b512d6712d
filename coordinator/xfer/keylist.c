/* keylist: see keylist.h. */
#include "keylist.h"

#include "alloc.h"
#include "arena.h"
#include "err.h"
#include "num.h"

#include <expat.h>

#include <stdlib.h>
#include <string.h>

const struct keylist_form keylist_s3 = {"Contents", "Key", "Size", "ETag", "NextContinuationToken",
                                        true};
const struct keylist_form keylist_azure = {"Blob", "Name",       "Content-Length",
                                           "Etag", "NextMarker", false};

struct reading {
    struct arena *a;
    XML_Parser parser;
    const struct keylist_form *form; /* NULL: `element` is wanted */
    struct keylist *list;
    const char *element;
    char *found;
    bool in_item, encoded;
    struct strbuf text; /* of the element that is open */
};

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

struct str keylist_decode(struct arena *a, struct str s, bool plus)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
        bool code = s.p[i] == '%' && high >= 0 && low >= 0;
        out[n++] = code ? (char)(high << 4 | low) : plus && s.p[i] == '+' ? ' ' : s.p[i];
        i += code ? 2 : 0;
    }
    return (struct str){out, n};
}

static void XMLCALL on_start(void *ctx, const char *name, const char **attributes)
{
    struct reading *r = ctx;
    strbuf_reset(&r->text);
    r->encoded = false;
    for (size_t i = 0; attributes[i]; i += 2) {
        r->encoded = r->encoded || strcmp(attributes[i], "Encoded") == 0;
    }
    if (r->form && strcmp(name, r->form->item) == 0) {
        r->in_item = true;
        ARRAY_RESERVE(r->list->items, r->list->count, r->list->capacity, 1);
        r->list->items[r->list->count++] = (struct keylist_item){.key = STR(""), .etag = ""};
    }
}

static const char *without_quotes(struct arena *a, struct str s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"') {
        s = str_sub(s, 1, s.n - 2);
    }
    return arena_str(a, s).p;
}

static void end_field(struct reading *r, const char *name)
{
    struct keylist_item *item = &r->list->items[r->list->count - 1];
    struct str text = strbuf_str(&r->text);
    int64_t n;
    if (strcmp(name, r->form->key) == 0) {
        bool decode = r->form->encoded || r->encoded;
        item->key = decode ? keylist_decode(r->a, text, r->form->encoded) : arena_str(r->a, text);
    } else if (strcmp(name, r->form->size) == 0 && num_parse_int(str_trim(text), &n) && n >= 0) {
        item->size = (uint64_t)n;
    } else if (strcmp(name, r->form->etag) == 0) {
        item->etag = without_quotes(r->a, text);
    }
}

static void XMLCALL on_end(void *ctx, const char *name)
{
    struct reading *r = ctx;
    if (r->form && r->in_item) {
        end_field(r, name);
        r->in_item = strcmp(name, r->form->item) != 0;
    } else if (r->form && strcmp(name, r->form->next) == 0 && r->text.n > 0) {
        r->list->next = arena_strndup(r->a, r->text.p, r->text.n);
    } else if (r->element && !r->found && strcmp(name, r->element) == 0) {
        r->found = arena_strndup(r->a, r->text.p, r->text.n);
    }
    strbuf_reset(&r->text);
}

static void XMLCALL on_text(void *ctx, const char *text, int n)
{
    struct reading *r = ctx;
    strbuf_add(&r->text, text, (size_t)n);
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system_id,
                               const char *public_id, int internal)
{
    struct reading *r = ctx;
    XML_StopParser(r->parser, XML_FALSE);
}

static int read_xml(struct reading *r, struct str xml, struct err *e)
{
    int rc = 0;
    r->parser = XML_ParserCreate("UTF-8");
    if (!r->parser) {
        alloc_failed(0);
    }
    strbuf_init(&r->text);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    if (XML_Parse(r->parser, xml.p, (int)xml.n, 1) != XML_STATUS_OK) {
        rc = err_set(e, ERR_FORMAT,
                     "the server's answer is not the XML that was expected: %s at line %lu",
                     XML_ErrorString(XML_GetErrorCode(r->parser)),
                     (unsigned long)XML_GetCurrentLineNumber(r->parser));
    }
    strbuf_release(&r->text);
    XML_ParserFree(r->parser);
    return rc;
}

int keylist_parse(struct arena *a, struct str xml, const struct keylist_form *form,
                  struct keylist *out, struct err *e)
{
    *out = (struct keylist){0};
    struct reading r = {.a = a, .form = form, .list = out};
    if (read_xml(&r, xml, e) < 0) {
        keylist_release(out);
        return -1;
    }
    return 0;
}

void keylist_release(struct keylist *l)
{
    free(l->items);
    *l = (struct keylist){0};
}

char *keylist_text(struct arena *a, struct str xml, const char *element)
{
    struct reading r = {.a = a, .element = element};
    return read_xml(&r, xml, NULL) < 0 ? NULL : r.found;
}
