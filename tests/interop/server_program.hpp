// The common part of the servers: their command line, and running until a signal comes.
#pragma once

#include "command_line.hpp"
#include "posix/descriptor.hpp"
#include "posix/end_signals.hpp"
#include "posix/network.hpp"
#include "posix/stream.hpp"
#include "posix/watchers.hpp"

#include <socketless/engineio/server_options.hpp>
#include <socketless/text/token.hpp>
#include <socketless/wire/server_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

struct server_arguments {
    std::uint16_t port = 0;
    std::string path = {};
    std::string certificate = {};
    std::string key = {};
    std::vector<std::string> origins = {};
    bool allows_credentials = false;
    std::string cookie = {};
    std::size_t header_limit = socketless::http::limits().max_head;
    // How long a client that no longer polls can keep the program from ending.
    socketless::engineio::server_options engine = {.close_timeout = std::chrono::seconds(5)};

    // What it holds so far are the defaults.
    [[nodiscard]] std::string usage() const {
        return "\n  --port N                          " + std::to_string(port) +
               " is the default; 0 picks one; the first line says which"
               R"(
  --ping-interval, --ping-timeout, --upgrade-timeout MS
  --max-payload BYTES               of one body, and of one message of a WebSocket
  --allow-v3                        serves clients of revision 3 (EIO=3) too
  --path P                          the path of the protocol's requests
  --cors ORIGIN                     the pages of this origin may connect, not those of all; may be given several times
  --cors-credentials                and have cookies go along
  --cookie NAME                     the answer to a handshake sets this cookie, for balancers
  --header-limit BYTES              of the head of a request: 16384
  --cert FILE --key FILE            https and wss, with a certificate and its key in PEM)";
    }

    void declare(command_line& line) {
        line.option("--port", port);
        line.option("--ping-interval", engine.ping_interval);
        line.option("--ping-timeout", engine.ping_timeout);
        line.option("--upgrade-timeout", engine.upgrade_timeout);
        line.option("--max-payload", engine.max_payload);
        line.flag("--allow-v3", engine.allow_v3);
        line.option("--path", path);
        line.option("--cors", {}, [this](std::string_view origin) { return origins.emplace_back(origin), true; });
        line.flag("--cors-credentials", allows_credentials);
        line.option("--cookie", "wants a name that a cookie can have",
                    [this](std::string_view name) { return cookie = name, socketless::token::is_valid(name); });
        line.option("--header-limit", header_limit);
        line.option("--cert", certificate);
        line.option("--key", key);
        line.needs("--cert", "--key");
        line.needs("--key", "--cert");
    }

    // Pages of any origin may connect unless origins are named.
    [[nodiscard]] socketless::wire::server_options wire() const {
        socketless::wire::server_options options;
        options.limits.max_head = header_limit;
        options.cors.origins = origins.empty() ? std::vector<std::string>{"*"} : origins;
        options.cors.credentials = allows_credentials;
        options.cookie.name = cookie;
        return options;
    }
};

// Serves until a signal comes, and then closes all in good order; `listening` gets the port, `companion` runs beside
// it. Returns the exit code of the program. See posix/network.hpp.
template <class Wire, class Application>
int serve(Wire& io, Application& application, server_arguments const& arguments,
          std::function<void(std::uint16_t)> const& listening = {}, posix_driver::companion* companion = nullptr) try {
    posix_driver::open_standard_streams();
    bool const is_secure = !arguments.certificate.empty();
    using tls = posix_driver::tls_context;
    posix_driver::network network(io, application, is_secure ? tls(arguments.certificate, arguments.key) : tls());
    posix_driver::end_signals const signals;
    if (companion != nullptr) network.accompany(*companion);
    auto const port = network.listen(arguments.port);
    std::printf("listening on %u\n", static_cast<unsigned>(port));
    if (listening) listening(port);
    std::fflush(stdout);
    network.watch(signals.fd(), [&] {
        network.unwatch(signals.fd());
        io.close();
    });
    network.run([&] { return !io.is_done(); });
    return 0;
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
