#ifndef NEPHRON_GITSOURCE_PRIVATE_H
#define NEPHRON_GITSOURCE_PRIVATE_H

#include "gitsource.h"

/* Shared by gitsource*.c only. */

/* The cache of the other repository, read only. Returns new (store_close). */
struct store *gitsource_store(struct gitsource *g, struct err *e);
/* By path, as gitsource_files leaves them. */
void gitsource_list_sort(struct gitsource_list *list);

#endif
