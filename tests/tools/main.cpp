// The implementation of Catch2 2 and its main. Catch2 3 brings both in its library.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
