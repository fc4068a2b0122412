// What a program compiles separately, once.
#include <socketless/source.hpp>
