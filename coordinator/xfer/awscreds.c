/*
 * awscreds: see awscreds.h. Sources: botocore's documented order of providers, AWS's descriptions of
 * the container and instance metadata endpoints (IMDSv2) and of STS.
 */
#include "awscreds.h"

#include "awsprofile.h"
#include "awssign.h"
#include "clock.h"
#include "err.h"
#include "fs.h"
#include "json.h"
#include "keylist.h"
#include "netremote.h"
#include "num.h"
#include "proc.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define REFRESH_MS (5 * 60 * 1000)
#define METADATA_CONNECT_MS 1000 /* it is near, or not there */
#define ROLES_MAX 4              /* of roles that are assumed by roles */
#define FILE_MAX ((size_t)1 << 20)

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

static bool have(const struct awscreds *c)
{
    return c->key_id && c->secret;
}

/* ---- answers ---- */

/* "2026-11-23T18:30:50Z", with or without fractions; 0 when it is something else. */
static int64_t parse_time(struct str s)
{
    struct tm tm = {0};
    const char *rest = s.p ? strptime(s.p, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    return rest ? (int64_t)timegm(&tm) * 1000 : 0;
}

/* {"AccessKeyId": …, "SecretAccessKey": …, "Token" or "SessionToken": …, "Expiration": …} */
static int take_json(struct awscreds *c, struct str text, const char *from, struct err *e)
{
    const struct value *v = json_parse(&c->arena, text, from, NULL);
    struct str id = value_as_str(value_get(v, "AccessKeyId"));
    struct str secret = value_as_str(value_get(v, "SecretAccessKey"));
    struct str token = value_as_str(value_get(v, "Token"));
    token = token.n > 0 ? token : value_as_str(value_get(v, "SessionToken"));
    if (id.n == 0 || secret.n == 0) {
        return err_set(e, ERR_REMOTE, "%s gives no credentials", from);
    }
    c->key_id = id.p;
    c->secret = secret.p;
    c->token = token.n > 0 ? token.p : NULL;
    c->expires_ms = parse_time(value_as_str(value_get(v, "Expiration")));
    return 0;
}

static int take_xml(struct awscreds *c, const struct webcall *call, const char *from, struct err *e)
{
    struct str xml = strbuf_str(&call->text);
    c->key_id = keylist_text(&c->arena, xml, "AccessKeyId");
    c->secret = keylist_text(&c->arena, xml, "SecretAccessKey");
    c->token = keylist_text(&c->arena, xml, "SessionToken");
    const char *until = keylist_text(&c->arena, xml, "Expiration");
    c->expires_ms = until ? parse_time(str_from(until)) : 0;
    return have(c) ? 0 : err_set(e, ERR_REMOTE, "%s gives no credentials", from);
}

/* ---- the container and the instance ---- */

/* A request to a metadata endpoint into *text (in the arena). */
static int ask(struct awscreds *c, const char *method, const char *url, const char *header,
               struct str *text, struct err *e)
{
    struct webcall *call = webcall_new();
    call->method = method;
    call->shown = url;
    if (!webcall_split(&call->arena, url, &call->origin, &call->path)) {
        webcall_free(call);
        return err_set(e, ERR_CONFIG, "%s is no URL", url);
    }
    const char *query = strchr(url, '?');
    call->query = query ? query + 1 : "";
    call->body = strcmp(method, "PUT") == 0 ? STR("") : (struct str){0};
    call->extra_header = header;
    call->tries = 2;
    call->connect_ms = METADATA_CONNECT_MS;
    int rc = webcall_run(netremote_engine(c->remote), call, e);
    if (rc == 0 && !webcall_ok(call)) {
        rc = webcall_refused(call, e);
    }
    if (rc == 0) {
        *text = arena_str(&c->arena, str_trim(strbuf_str(&call->text)));
    }
    webcall_free(call);
    return rc < 0 ? err_wrap(e, "%s", url) : 0;
}

static const char *container_token(struct awscreds *c)
{
    const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *path = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    struct strbuf text;
    strbuf_init(&text);
    if (path && fs_read(path, FILE_MAX, &text, NULL) == 0) {
        token = arena_str(&c->arena, str_trim(strbuf_str(&text))).p;
    }
    strbuf_release(&text);
    return token;
}

/* 1: there is one. */
static int from_container(struct awscreds *c, struct err *e)
{
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *url = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct str text;
    if (relative) {
        url = arena_printf(&c->arena, "http://169.254.170.2%s", relative);
    }
    if (!url) {
        return 0;
    }
    const char *token = container_token(c);
    const char *header = token ? arena_printf(&c->arena, "Authorization: %s", token) : NULL;
    return ask(c, "GET", url, header, &text, e) < 0 || take_json(c, text, url, e) < 0 ? -1 : 1;
}

static int from_instance(struct awscreds *c, struct err *e)
{
    const char *off = variable("AWS_EC2_METADATA_DISABLED");
    const char *base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct str token, role, text;
    struct err away = ERR_INIT;
    if (off && strcasecmp(off, "true") == 0) {
        return 0;
    }
    struct arena *a = &c->arena;
    base = base ? base : "http://169.254.169.254";
    size_t n = strlen(base);
    base = arena_strndup(a, base, n > 0 && base[n - 1] == '/' ? n - 1 : n);
    const char *url = arena_printf(a, "%s/latest/api/token", base);
    if (ask(c, "PUT", url, "X-aws-ec2-metadata-token-ttl-seconds: 21600", &token, &away) < 0) {
        return 0; /* this is no instance */
    }
    const char *header = arena_printf(a, "X-aws-ec2-metadata-token: %s", token.p);
    url = arena_printf(a, "%s/latest/meta-data/iam/security-credentials/", base);
    if (ask(c, "GET", url, header, &role, &away) < 0) {
        return 0; /* it has no role */
    }
    role.n = strcspn(role.p, "\r\n");
    url = arena_printf(a, "%s%s", url, webcall_encode(a, role, false));
    return ask(c, "GET", url, header, &text, e) < 0 || take_json(c, text, url, e) < 0 ? -1 : 1;
}

/* ---- roles ---- */

static int sign_sts(struct webcall *call, struct err *e)
{
    const struct awscreds *source = call->ctx2;
    webcall_header(call, "Content-Type: application/x-www-form-urlencoded");
    if (source) {
        const char *region = source->region ? source->region : "us-east-1";
        awssign_request(call, source, region, "sts", clock_wall_ms(&clock_system));
    }
    return 0;
}

/* `source` NULL: the form itself proves who we are. */
static int call_sts(struct awscreds *c, const struct awscreds *source, const char *form,
                    struct err *e)
{
    struct arena *a = &c->arena;
    const char *url = variable("AWS_ENDPOINT_URL_STS");
    url =
        url ? url
            : arena_printf(a, "https://sts.%s.amazonaws.com", c->region ? c->region : "us-east-1");
    struct webcall *call = webcall_new();
    call->method = "POST";
    call->shown = url;
    call->body = arena_str(&call->arena, str_from(form));
    call->prepare = sign_sts;
    call->ctx2 = (void *)(uintptr_t)source;
    int rc = webcall_split(&call->arena, url, &call->origin, &call->path)
                 ? webcall_run(netremote_engine(c->remote), call, e)
                 : err_set(e, ERR_CONFIG, "AWS_ENDPOINT_URL_STS is no URL");
    if (rc == 0 && !webcall_ok(call)) {
        rc = webcall_refused(call, e);
    }
    if (rc == 0) {
        rc = take_xml(c, call, "STS", e);
    }
    webcall_free(call);
    return rc < 0 ? err_wrap(e, "cannot assume the role by %s", url) : 0;
}

static const char *sts_form(struct arena *a, const char *action, const char *role,
                            const char *session)
{
    return arena_printf(a, "Action=%s&Version=2011-06-15&RoleArn=%s&RoleSessionName=%s", action,
                        webcall_encode(a, str_from(role), false),
                        webcall_encode(a, str_from(session ? session : "nephron"), false));
}

static int from_web_identity(struct awscreds *c, const char *role, const char *path,
                             const char *session, struct err *e)
{
    struct arena *a = &c->arena;
    struct strbuf token;
    strbuf_init(&token);
    int rc = fs_read(path, FILE_MAX, &token, e);
    if (rc == 0) {
        const char *form = arena_printf(a, "%s&WebIdentityToken=%s",
                                        sts_form(a, "AssumeRoleWithWebIdentity", role, session),
                                        webcall_encode(a, str_trim(strbuf_str(&token)), false));
        rc = call_sts(c, NULL, form, e);
    }
    strbuf_release(&token);
    return rc < 0 ? -1 : 1;
}

/* ---- profiles ---- */

static int from_process(struct awscreds *c, const char *line, struct err *e)
{
    struct strbuf out;
    struct proc_status st;
    strbuf_init(&out);
    const char *argv[] = {"/bin/sh", "-c", line, NULL};
    const struct proc_options opt = {.argv = argv, .stdin_fd = PROC_NULL};
    int rc = proc_capture(&opt, &out, NULL, &st, e);
    if (rc == 0 && proc_exit_code(&st) != 0) {
        rc = err_set(e, ERR_CHILD, "credential_process ended with status %d", proc_exit_code(&st));
    }
    if (rc == 0) {
        rc = take_json(c, arena_str(&c->arena, strbuf_str(&out)), "credential_process", e);
    }
    strbuf_release(&out);
    return rc < 0 ? -1 : 1;
}

static int from_profile(struct awscreds *c, const char *name, int depth, struct err *e);

static int from_environment(struct awscreds *c)
{
    c->key_id = variable("AWS_ACCESS_KEY_ID");
    c->secret = variable("AWS_SECRET_ACCESS_KEY");
    c->token = variable("AWS_SESSION_TOKEN");
    c->token = c->token ? c->token : variable("AWS_SECURITY_TOKEN");
    return have(c);
}

static int role_source(struct awscreds *source, const struct value *p, int depth, struct err *e)
{
    const char *from = awsprofile_get(p, "source_profile");
    const char *word = awsprofile_get(p, "credential_source");
    if (from) {
        return from_profile(source, from, depth + 1, e);
    }
    if (word && strcmp(word, "Environment") == 0) {
        return from_environment(source);
    }
    if (word && strcmp(word, "EcsContainer") == 0) {
        return from_container(source, e);
    }
    return word && strcmp(word, "Ec2InstanceMetadata") == 0 ? from_instance(source, e) : 0;
}

static int from_role(struct awscreds *c, const struct value *p, const char *role, int depth,
                     struct err *e)
{
    const char *session = awsprofile_get(p, "role_session_name");
    const char *outside = awsprofile_get(p, "external_id");
    const char *identity = awsprofile_get(p, "web_identity_token_file");
    if (identity) {
        return from_web_identity(c, role, identity, session, e);
    }
    if (awsprofile_get(p, "mfa_serial")) {
        return err_set(e, ERR_CONFIG,
                       "the role %s wants a code of a device (mfa_serial), which "
                       "cannot be asked for here; give temporary credentials",
                       role);
    }
    struct awscreds source = {.remote = c->remote, .region = c->region};
    arena_init(&source.arena);
    int rc = depth < ROLES_MAX ? role_source(&source, p, depth, e)
                               : err_set(e, ERR_CONFIG,
                                         "the profiles of the role %s name one "
                                         "another",
                                         role);
    if (rc == 0) {
        rc = err_set(e, ERR_CONFIG, "there are no credentials to assume the role %s with", role);
    }
    if (rc > 0) {
        const char *form = sts_form(&c->arena, "AssumeRole", role, session);
        if (outside) {
            form = arena_printf(&c->arena, "%s&ExternalId=%s", form,
                                webcall_encode(&c->arena, str_from(outside), false));
        }
        rc = call_sts(c, &source, form, e) < 0 ? -1 : 1;
    }
    arena_release(&source.arena);
    return rc;
}

/* 1: found, 0: none there. */
static int from_profile(struct awscreds *c, const char *name, int depth, struct err *e)
{
    const struct value *p = awsprofile_read(&c->arena, c->remote, name);
    const char *role = awsprofile_get(p, "role_arn");
    const char *process = awsprofile_get(p, "credential_process");
    if (!p) {
        return 0;
    }
    if (role && !(depth > 0 && awsprofile_get(p, "aws_access_key_id"))) {
        return from_role(c, p, role, depth, e);
    }
    c->key_id = awsprofile_get(p, "aws_access_key_id");
    c->secret = awsprofile_get(p, "aws_secret_access_key");
    c->token = awsprofile_get(p, "aws_session_token");
    if (have(c)) {
        return 1;
    }
    if (process) {
        return from_process(c, process, e);
    }
    if (awsprofile_get(p, "sso_start_url") || awsprofile_get(p, "sso_session")) {
        return err_set(e, ERR_CONFIG,
                       "the profile '%s' signs in by SSO, which is not built in; "
                       "`aws configure export-credentials` gives credentials for the environment",
                       name);
    }
    return 0;
}

/* ---- the order ---- */

static const char *profile_name(const struct netremote *n)
{
    const char *name = netremote_setting(n, "profile");
    name = name ? name : variable("AWS_PROFILE");
    name = name ? name : variable("AWS_DEFAULT_PROFILE");
    return name ? name : "default";
}

static void read_places(struct awscreds *c)
{
    const struct netremote *n = c->remote;
    const struct value *p = awsprofile_read(&c->arena, n, profile_name(n));
    c->region = netremote_setting(n, "region");
    c->region = c->region ? c->region : variable("AWS_REGION");
    c->region = c->region ? c->region : variable("AWS_DEFAULT_REGION");
    c->region = c->region ? c->region : awsprofile_get(p, "region");
    c->endpoint = netremote_setting(n, "endpointurl");
    c->endpoint = c->endpoint ? c->endpoint : variable("AWS_ENDPOINT_URL_S3");
    c->endpoint = c->endpoint ? c->endpoint : variable("AWS_ENDPOINT_URL");
    c->endpoint = c->endpoint ? c->endpoint : awsprofile_get(p, "endpoint_url");
    c->addressing = awsprofile_get(p, "s3.addressing_style");
}

static bool from_settings(struct awscreds *c)
{
    c->key_id = netremote_setting(c->remote, "access_key_id");
    c->secret = netremote_setting(c->remote, "secret_access_key");
    c->token = netremote_setting(c->remote, "session_token");
    return have(c);
}

static int from_token_file(struct awscreds *c, struct err *e)
{
    const char *role = variable("AWS_ROLE_ARN"), *path = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    return role && path ? from_web_identity(c, role, path, variable("AWS_ROLE_SESSION_NAME"), e)
                        : 0;
}

static int find(struct awscreds *c, struct err *e)
{
    const struct netremote *n = c->remote;
    bool named = netremote_setting(n, "profile") != NULL;
    if (from_settings(c) || (!named && from_environment(c))) {
        return 1;
    }
    int rc = from_profile(c, profile_name(n), 0, e);
    rc = rc == 0 ? from_token_file(c, e) : rc;
    rc = rc == 0 ? from_container(c, e) : rc;
    return rc == 0 ? from_instance(c, e) : rc;
}

int awscreds_open(struct awscreds *c, struct netremote *n, struct err *e)
{
    *c = (struct awscreds){.remote = n};
    arena_init(&c->arena);
    read_places(c);
    c->anonymous = netremote_flag(n, "allow_anonymous_login", false);
    if (c->anonymous) {
        return 0;
    }
    int rc = find(c, e);
    if (rc == 0) {
        return err_set(e, ERR_REMOTE,
                       "no credentials for %s: neither in the remote's settings "
                       "(access_key_id, secret_access_key), nor in AWS_ACCESS_KEY_ID, nor for the "
                       "profile '%s' in ~/.aws, nor from a container or an instance",
                       netremote_url(n), profile_name(n));
    }
    return rc < 0 ? err_wrap(e, "no credentials for %s", netremote_url(n)) : 0;
}

int awscreds_refresh(struct awscreds *c, struct err *e)
{
    int64_t left = c->expires_ms - clock_wall_ms(&clock_system);
    struct err why = ERR_INIT;
    struct awscreds fresh;
    /* other requests go on while this waits: with what is still good */
    if (c->expires_ms == 0 || left > REFRESH_MS || c->refreshing) {
        return 0;
    }
    c->refreshing = true;
    int rc = awscreds_open(&fresh, c->remote, &why);
    c->refreshing = false;
    if (rc < 0) {
        awscreds_release(&fresh);
        return left > 0 ? 0 : err_set(e, why.code, "%s", why.text);
    }
    awscreds_release(c);
    *c = fresh;
    return 0;
}

void awscreds_release(struct awscreds *c)
{
    arena_release(&c->arena);
    c->key_id = c->secret = c->token = NULL;
}
