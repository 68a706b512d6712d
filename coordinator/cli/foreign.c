/* foreign: --config, --remote and --remote-config; see foreign.h. */
#include "foreign.h"

#include "err.h"
#include "fs.h"

int foreign_settings(struct arena *a, const struct foreign *f, struct gitsource_settings *how,
                     struct err *e)
{
    *how = (struct gitsource_settings){.file = f->config, .remote = f->remote};
    if (f->config && !fs_exists(f->config)) {
        return err_set(e, ERR_MISSING, "[Errno 2] No such file or directory: '%s'", f->config);
    }
    return gitsource_set_options(a, how, f->remote_config.items, f->remote_config.count, e);
}

void foreign_release(struct foreign *f)
{
    opt_list_release(&f->remote_config);
}
