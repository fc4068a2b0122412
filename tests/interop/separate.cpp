// The one file of the programs that compiles the client and the server.
#include <socketless/source.hpp>
