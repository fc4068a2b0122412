// SOCKETLESS_ASSERT checks the documented preconditions of the library: what its caller got wrong, never
// what a peer sent. Define it before including any header to report violations in another way.
#pragma once

#ifndef SOCKETLESS_ASSERT
#include <cassert>
/// Reports a violated precondition. As `assert` unless you define it yourself.
#define SOCKETLESS_ASSERT(condition) assert(condition)
#endif
