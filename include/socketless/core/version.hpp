// The version of the library, for the preprocessor and for programs.
#pragma once

/// One part of the version, which is MAJOR.MINOR.PATCH.
#define SOCKETLESS_VERSION_MAJOR 0
#define SOCKETLESS_VERSION_MINOR 1
#define SOCKETLESS_VERSION_PATCH 0
