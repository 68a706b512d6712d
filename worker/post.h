#ifndef NEPHRON_POST_H
#define NEPHRON_POST_H

#include "str.h"

#include <stdbool.h>
#include <stddef.h>

#include <mpi.h>

struct err;

/*
 * Letters between ranks: bytes with a tag, sent without waiting and received without spinning. A blocking MPI call keeps a core
 * busy while it waits; here whoever waits looks (MPI_Iprobe) and sleeps with growing pauses, up to POST_PAUSE_MAX_US.
 * One thread of a rank owns a post.
 */

#define POST_PAUSE_MIN_US 20
#define POST_PAUSE_MAX_US 1000

struct post_letter;

struct post {
    MPI_Comm comm;               /* borrowed */
    struct post_letter *letters; /* on their way; private */
    size_t count, capacity;
};

void post_init(struct post *p, MPI_Comm comm);
/* Waits until all letters have left, frees. */
int post_release(struct post *p, struct err *e);
/* Copies the bytes and returns at once. */
int post_send(struct post *p, int rank, int tag, struct str bytes, struct err *e);
/* Lets letters that have left go; called from every waiting loop. */
int post_progress(struct post *p, struct err *e);
/* Takes a letter that has arrived, from any rank with any tag: 1 and *bytes (contents replaced), 0 when there is none, -1. */
int post_receive(struct post *p, struct strbuf *bytes, int *rank, int *tag, struct err *e);
/* The next pause of a waiting loop: doubles *pause_us up to POST_PAUSE_MAX_US; 0 begins again. */
int post_pause(int *pause_us);

/* Puts the text of an MPI error into *e: 0 for MPI_SUCCESS, else -1. */
int post_check(int mpi_code, const char *what, struct err *e);

#endif
