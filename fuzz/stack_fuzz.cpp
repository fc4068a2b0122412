// Socket.IO sessions and whole servers: whatever peers send and applications do, each socket that is connected is
// disconnected once, each acknowledgement has one outcome, nothing follows the end, and no queue passes its limit. An
// I/O layer hands in one input at a time or several, and loses no event by that; user code throws; a recovered socket
// has its namespace and all its rooms again.
// The first byte of the input chooses the machine and its options, the rest is a program for it: see program.hpp.

#include "client_session_run.hpp"
#include "program.hpp"
#include "server_run.hpp"
#include "server_session_run.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    fuzz::input in(data, size);
    auto const choice = in.take();
    auto const options = static_cast<std::uint8_t>(choice / 3u);
    fuzz::program p(in);
    switch (choice % 3u) {
    case 0: fuzz::server_session_run(p, options).run(); break;
    case 1: fuzz::client_session_run(p, options).run(); break;
    default: fuzz::server_run(p, options).run();
    }
    return 0;
}
