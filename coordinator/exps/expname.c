/* See expname.h. */
#include "expname.h"

#include "alloc.h"
#include "clock.h"
#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static const char *const adjectives[] = {
    "agile",   "airy",    "amber",  "ample", "aquatic", "arctic", "azure",  "balmy",    "bold",
    "brave",   "breezy",  "bright", "brisk", "bronze",  "calm",   "candid", "cheery",   "clear",
    "clever",  "coastal", "copper", "coral", "cosmic",  "cosy",   "crisp",  "curly",    "dapper",
    "daring",  "deft",    "dewy",   "eager", "early",   "earthy", "easy",   "fair",     "fancy",
    "fleet",   "floral",  "fluffy", "fond",  "frank",   "fresh",  "frosty", "gentle",   "giddy",
    "glad",    "golden",  "grand",  "green", "handy",   "happy",  "hardy",  "hazel",    "honest",
    "humble",  "icy",     "indigo", "ivory", "jolly",   "keen",   "kind",   "leafy",    "light",
    "lively",  "lofty",   "loyal",  "lucid", "lucky",   "lunar",  "mellow", "merry",    "mild",
    "mighty",  "misty",   "modest", "mossy", "neat",    "nimble", "noble",  "north",    "olive",
    "patient", "pearly",  "plucky", "polar", "polite",  "proud",  "quick",  "quiet",    "rapid",
    "ready",   "rosy",    "royal",  "ruby",  "rustic",  "sandy",  "scenic", "serene",   "sharp",
    "shiny",   "silent",  "silver", "snowy", "solar",   "solid",  "spry",   "steady",   "stellar",
    "sturdy",  "subtle",  "sunny",  "swift", "tidal",   "tidy",   "timely", "tranquil", "velvet",
    "vivid",   "warm",    "wild",   "windy", "wise",    "witty",  "woody",  "young",    "zesty",
};

static const char *const nouns[] = {
    "acorn",   "alder",   "anchor",  "apple",   "aspen",   "badger", "bamboo", "basil",   "bay",
    "beacon",  "beaver",  "beech",   "birch",   "bison",   "breeze", "brook",  "canyon",  "cedar",
    "cello",   "cherry",  "cliff",   "clover",  "comet",   "condor", "coral",  "cove",    "crane",
    "creek",   "cricket", "dale",    "delta",   "dolphin", "dove",   "dune",   "eagle",   "ember",
    "falcon",  "fern",    "finch",   "fjord",   "flint",   "forest", "fox",    "garnet",  "gecko",
    "geyser",  "ginger",  "glacier", "grove",   "gull",    "harbor", "hare",   "hawk",    "heath",
    "heron",   "hill",    "holly",   "ibis",    "iris",    "island", "ivy",    "jasmine", "jay",
    "juniper", "kestrel", "koala",   "lagoon",  "lake",    "lark",   "lemon",  "lilac",   "linden",
    "lotus",   "lynx",    "magpie",  "maple",   "marble",  "marten", "meadow", "mint",    "moon",
    "moose",   "nectar",  "oak",     "oasis",   "ocean",   "opal",   "orchid", "osprey",  "otter",
    "owl",     "panda",   "pebble",  "pelican", "peony",   "pine",   "planet", "plum",    "poplar",
    "prairie", "puffin",  "quartz",  "raven",   "reef",    "river",  "robin",  "sage",    "salmon",
    "sequoia", "shore",   "sparrow", "spruce",  "star",    "stork",  "summit", "swan",    "thyme",
    "tulip",   "tundra",  "valley",  "violet",  "walnut",  "wave",   "willow", "wren",    "yew",
};

void expname_random(char out[EXPNAME_SIZE])
{
    uint32_t dice[2];
    if (getrandom(dice, sizeof dice, 0) != sizeof dice) {
        uint64_t t = (uint64_t)clock_mono_us(&clock_system) * 0x9e3779b97f4a7c15u;
        dice[0] = (uint32_t)(t >> 32);
        dice[1] = (uint32_t)t ^ (uint32_t)getpid() * 2654435761u;
    }
    snprintf(out, EXPNAME_SIZE, "%s-%s", adjectives[dice[0] % ARRAY_SIZE(adjectives)],
             nouns[dice[1] % ARRAY_SIZE(nouns)]);
}

/* One part of a ref: git-check-ref-format(1), rules 1 and 3 to 9; "/" would be a second part. */
static bool is_ref_part(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > 200 || name[0] == '.' || name[n - 1] == '.' || strstr(name, "..") != NULL ||
        strstr(name, "@{") != NULL || (n >= 5 && strcmp(name + n - 5, ".lock") == 0)) {
        return false;
    }
    for (const char *p = name; *p != 0; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("~^:?*[\\/", *p) != NULL) {
            return false;
        }
    }
    return true;
}

int expname_check(const char *name, struct err *e)
{
    if (is_ref_part(name)) {
        return 0;
    }
    return err_set(e, ERR_USAGE,
                   "Invalid exp name %s, the exp name must follow rules in "
                   "https://git-scm.com/docs/git-check-ref-format",
                   name);
}
