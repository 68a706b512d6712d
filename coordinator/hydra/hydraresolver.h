#ifndef NEPHRON_HYDRARESOLVER_H
#define NEPHRON_HYDRARESOLVER_H

#include "hydrainterp.h"

/*
 * ${NAME:arguments}, with the names that OmegaConf 2.3 and Hydra 1.3 know:
 *
 * | name                          | stands for                                                                   |
 * |-------------------------------|------------------------------------------------------------------------------|
 * | oc.env:NAME,default           | a variable of the environment, always a text                                 |
 * | oc.select:key,default         | a node, the default when it is not there or "???"; without one null          |
 * | oc.decode:text                | the value that the text is as an argument                                    |
 * | oc.create:value               | a list or map of its own                                                     |
 * | oc.dict.keys:key, .values:key | the keys or values of a map, as a list                                       |
 * | oc.deprecated:key             | another node                                                                 |
 * | now:format                    | the time, in strftime's words                                                |
 *
 * Others are refused by name: `hydra` and `python_version` tell of a program that does not run here.
 */

int hydraresolver_call(struct hydrainterp *in, const struct hydraplace *up, struct str name,
                       const struct hydraplace *args, size_t count, struct hydraplace *out);

#endif
