// An Engine.IO server that sends each message back.
#include "server_program.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/wire/server.hpp>

#include <chrono>
#include <string>

namespace engineio = socketless::engineio;

namespace {

struct echo {
    engineio::server& io;

    void handle(engineio::server_event const& e) {
        if (e.event.type == engineio::event_type::message) io.send(e.session, e.event.message).ignore();
    }
};

} // namespace

int main(int argc, char** argv) {
    server_arguments arguments{.path = "/engine.io/"};
    std::string const usage = "engineio_echo_server [option]..." + arguments.usage();
    command_line line(usage);
    arguments.declare(line);
    line.parse_options(argc, argv);

    arguments.engine.path = arguments.path;
    socketless::wire::server<engineio::server> io(arguments.engine, arguments.wire(), socketless::system_random(),
                                                  std::chrono::steady_clock::now());
    echo application{io.protocol()};
    return serve(io, application, arguments);
}
