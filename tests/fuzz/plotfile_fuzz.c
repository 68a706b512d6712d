/* Files of plots, all the way to the page: the rows of a file as a plot of each kind. The first byte
 * chooses the kind of file and the template. */
#include "plotfile.h"
#include "plotpage.h"
#include "plots.h"
#include "plotspec.h"
#include "str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"f.csv", "f.tsv", "f.yaml", "f.json"};
    if (size < 1 || size > 4096) {
        return 0;
    }
    struct arena a;
    arena_init(&a);
    const char *name = names[data[0] & 3];
    struct str text = {(const char *)data + 1, size - 1};
    struct value *doc = plotfile_parse(&a, text, name, !(data[0] & 4), NULL);
    struct value *entry = value_map(&a), *files = value_map(&a), *ids = value_map(&a);
    struct plot_revision rev = {.name = "r", .defs = value_map(&a), .files = files};
    struct plot_list plots;
    if (doc) {
        value_set(&a, entry, "data", doc);
    }
    value_set(&a, files, name, entry);
    value_set(&a, ids, name, value_map(&a));
    value_set(&a, rev.defs, "", ids);
    plots_match(&a, &rev, 1, &plots);
    const char *kind = plotspec_name(data[0] >> 3);
    struct plotpage_item item = {&plots.items[0], plotspec_template(&a, kind ? kind : "linear")};
    struct strbuf out;
    strbuf_init(&out);
    if (item.plot->points->list.count > 0) {
        plotspec_fill(&a, item.content, item.plot, NULL, NULL);
    }
    plotpage_write(&a, &item, 1, NULL, &out, NULL);
    strbuf_release(&out);
    arena_release(&a);
    return 0;
}
