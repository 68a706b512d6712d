#ifndef NEPHRON_BASE_CHECK_H
#define NEPHRON_BASE_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
