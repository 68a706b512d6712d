#ifndef NEPHRON_LIBYAML_H
#define NEPHRON_LIBYAML_H

/* libyaml's header has the name of ours: the next <yaml.h> on the search path after this folder. */
#include_next <yaml.h>

#endif
