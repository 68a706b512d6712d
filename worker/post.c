/* See post.h. */
#include "post.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct post_letter {
    MPI_Request request;
    void *bytes;
};

int post_check(int mpi_code, const char *what, struct err *e)
{
    if (mpi_code == MPI_SUCCESS) {
        return 0;
    }
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    int n = 0;
    MPI_Error_string(mpi_code, text, &n);
    return err_set(e, ERR_REMOTE, "%s: %s", what, text);
}

void post_init(struct post *p, MPI_Comm comm)
{
    *p = (struct post){.comm = comm};
}

int post_send(struct post *p, int rank, int tag, struct str bytes, struct err *e)
{
    if (bytes.n > INT_MAX) {
        return err_set(e, ERR_LIMIT, "a message of %zu bytes for rank %d is too long", bytes.n,
                       rank);
    }
    ARRAY_RESERVE(p->letters, p->count, p->capacity, 1);
    struct post_letter *l = &p->letters[p->count];
    l->bytes = xmalloc(bytes.n + 1);
    memcpy(l->bytes, bytes.n > 0 ? bytes.p : "", bytes.n);
    int rc = MPI_Isend(l->bytes, (int)bytes.n, MPI_BYTE, rank, tag, p->comm, &l->request);
    if (post_check(rc, "cannot send to a rank", e) < 0) {
        free(l->bytes);
        return -1;
    }
    p->count++;
    return 0;
}

int post_progress(struct post *p, struct err *e)
{
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < p->count; i++) {
        int done = 0;
        if (rc == 0) {
            rc = post_check(MPI_Test(&p->letters[i].request, &done, MPI_STATUS_IGNORE),
                            "cannot send to a rank", e);
        }
        if (done) {
            free(p->letters[i].bytes);
        } else {
            p->letters[kept++] = p->letters[i];
        }
    }
    p->count = kept;
    return rc;
}

int post_release(struct post *p, struct err *e)
{
    int rc = 0, pause = 0;
    while (p->count > 0 && rc == 0) {
        rc = post_progress(p, e);
        if (p->count > 0) {
            clock_sleep_us(post_pause(&pause));
        }
    }
    /* Letters of a broken connection stay: MPI may still read them. */
    if (rc == 0) {
        free(p->letters);
        *p = (struct post){.comm = p->comm};
    }
    return rc;
}

int post_receive(struct post *p, struct strbuf *bytes, int *rank, int *tag, struct err *e)
{
    MPI_Status st;
    int there = 0, n = 0;
    int rc = MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, p->comm, &there, &st);
    if (post_check(rc, "cannot look for messages", e) < 0) {
        return -1;
    }
    if (!there) {
        return 0;
    }
    rc = MPI_Get_count(&st, MPI_BYTE, &n);
    if (post_check(rc, "cannot measure a message", e) < 0) {
        return -1;
    }
    strbuf_reset(bytes);
    char *to = xmalloc((size_t)n + 1);
    rc = MPI_Recv(to, n, MPI_BYTE, st.MPI_SOURCE, st.MPI_TAG, p->comm, MPI_STATUS_IGNORE);
    strbuf_add(bytes, to, (size_t)n);
    free(to);
    *rank = st.MPI_SOURCE;
    *tag = st.MPI_TAG;
    return post_check(rc, "cannot receive from a rank", e) < 0 ? -1 : 1;
}

int post_pause(int *pause_us)
{
    int next = *pause_us == 0 ? POST_PAUSE_MIN_US : *pause_us * 2;
    *pause_us = next < POST_PAUSE_MAX_US ? next : POST_PAUSE_MAX_US;
    return *pause_us;
}
