/*
 * Developer program: `dvc ARG…` of the real DVC, answered by a server; see dvc_peer.py, which has the protocol and which this
 * program becomes where no server answers yet. In C, since a test makes hundreds of calls and Python takes 20 ms to start.
 *
 *   NEPHRON_DVC_OWNER   the process whose server it is        NEPHRON_DVC_PYTHON, NEPHRON_DVC_PEER   how to start one
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value) {
        fprintf(stderr, "dvc_call: %s is not set: use $dvc of tests/cli/dvc-lib.sh\n", name);
        exit(99);
    }
    return value;
}

static int connected(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *folder = getenv("TMPDIR");
    int length = snprintf(a.sun_path, sizeof(a.sun_path), "%s/nephron-dvc-%u-%s",
                          folder && *folder ? folder : "/tmp", (unsigned)getuid(),
                          setting("NEPHRON_DVC_OWNER"));
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (length < 0 || (size_t)length >= sizeof(a.sun_path) || s < 0 ||
        connect(s, (struct sockaddr *)&a, sizeof(a)) < 0) {
        return -1;
    }
    return s;
}

static _Noreturn void become_python(int argc, char **argv)
{
    const char *first[] = {setting("NEPHRON_DVC_PYTHON"), "-S", "-E", setting("NEPHRON_DVC_PEER"),
                           "call"};
    const char **words = calloc((size_t)argc + 5, sizeof(*words)); /* the last stays NULL */
    if (words) {
        memcpy(words, first, sizeof(first));
        memcpy(words + 5, argv + 1, ((size_t)argc - 1) * sizeof(*words));
        execv(words[0], (char *const *)words);
    }
    perror(first[0]);
    exit(99);
}

/* umask, folder, number of arguments, arguments, environment: each ends with a NUL. */
static void write_request(FILE *to, int argc, char **argv)
{
    char *cwd = getcwd(NULL, 0);
    fprintf(to, "%o%c%s%c%d%c", (unsigned)umask(0), 0, cwd ? cwd : "/", 0, argc - 1, 0);
    for (int i = 1; i < argc; i++) {
        fwrite(argv[i], 1, strlen(argv[i]) + 1, to);
    }
    for (char **p = environ; *p; p++) {
        fwrite(*p, 1, strlen(*p) + 1, to);
    }
    free(cwd);
}

/* The length comes first, with our three streams. */
static bool send_request(int s, const char *request, size_t size)
{
    uint32_t length = (uint32_t)size;
    union {
        char bytes[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {&length, sizeof(length)};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(3 * sizeof(int));
    memcpy(CMSG_DATA(c), (int[]){0, 1, 2}, 3 * sizeof(int));
    if (sendmsg(s, &m, MSG_NOSIGNAL) != sizeof(length)) {
        return false;
    }
    for (size_t at = 0; at < size;) {
        ssize_t n = send(s, request + at, size - at, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

int main(int argc, char **argv)
{
    int s = connected();
    if (s < 0) {
        become_python(argc, argv);
    }
    char *request = NULL, answer[16] = {0};
    size_t size = 0;
    FILE *to = open_memstream(&request, &size);
    if (!to) {
        perror("dvc_call");
        return 99;
    }
    write_request(to, argc, argv);
    fclose(to);
    if (!send_request(s, request, size) || recv(s, answer, sizeof(answer) - 1, 0) <= 0) {
        fprintf(stderr, "dvc_call: the server of the real DVC went away\n");
        return 99;
    }
    return (int)strtol(answer, NULL, 10);
}
