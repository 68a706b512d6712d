#ifndef NEPHRON_AWSPROFILE_H
#define NEPHRON_AWSPROFILE_H

struct arena;
struct err;
struct netremote;
struct value;

/*
 * ~/.aws/credentials and ~/.aws/config as one map of a profile's options; the first wins. Other
 * files by the settings `credentialpath` and `configpath`, or by AWS_SHARED_CREDENTIALS_FILE and
 * AWS_CONFIG_FILE, which win over the settings as in DVC. NULL: no such profile. Options
 * nested in another ("s3 =" with indented lines) have its name before them: "s3.addressing_style".
 */
struct value *awsprofile_read(struct arena *a, const struct netremote *n, const char *profile);
/* An option of it as text; NULL when absent. */
const char *awsprofile_get(const struct value *profile, const char *option);

#endif
