// The version of the library, for the preprocessor and for programs.
#pragma once

/// The version is MAJOR.MINOR.PATCH.
#define SOCKETLESS_VERSION_MAJOR 0
/// A part of the version.
#define SOCKETLESS_VERSION_MINOR 1
/// A part of the version.
#define SOCKETLESS_VERSION_PATCH 0
