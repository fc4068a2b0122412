// The common part of the servers: their command line, and running until a signal comes.
#pragma once

#include "beast/server.hpp"
#include "command_line.hpp"

#include <socketless/engineio/server_session.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct server_arguments {
    std::uint16_t port = 0;
    std::string path = {};
    std::string certificate = {};
    std::string key = {};
    std::vector<std::string> origins = {};
    bool allows_credentials = false;
    std::uint32_t header_limit = beast_driver::request_limits().header;
    // How long a client that no longer polls can keep the program from ending.
    socketless::engineio::server_options engine = {.close_timeout = std::chrono::seconds(5)};

    static constexpr std::string_view usage = R"(
  --port N                          0, the default, picks one; the first line says which
  --ping-interval, --ping-timeout, --upgrade-timeout MS
  --max-payload BYTES               of one body, and of one message of a WebSocket
  --allow-v3                        serves clients of revision 3 (EIO=3) too
  --path P                          the path of the protocol's requests
  --cors ORIGIN                     the pages of this origin may connect, not those of all; may be given several times
  --cors-credentials                and have cookies go along
  --header-limit BYTES              of the head of a request: 16384
  --cert FILE --key FILE            https and wss, with a certificate and its key in PEM)";

    void declare(command_line& line) {
        line.option("--port", port);
        line.option("--ping-interval", engine.ping_interval);
        line.option("--ping-timeout", engine.ping_timeout);
        line.option("--upgrade-timeout", engine.upgrade_timeout);
        line.option("--max-payload", engine.max_payload);
        line.flag("--allow-v3", engine.allow_v3);
        line.option("--path", path);
        line.option("--cors", [this](std::string_view origin) { return origins.emplace_back(origin), true; });
        line.flag("--cors-credentials", allows_credentials);
        line.option("--header-limit", header_limit);
        line.option("--cert", certificate);
        line.option("--key", key);
    }
};

// Serves until a signal comes. Pages of any origin may connect unless origins are named. `page` answers requests with
// other paths; `listening` gets the port. Returns the exit code of the program.
template <class Server, class Application>
int serve(Server& io, Application& application, server_arguments const& arguments,
          std::function<beast_driver::response(beast_driver::request const&)> page = {},
          std::function<void(std::uint16_t)> const& listening = {}) try {
    namespace ssl = boost::asio::ssl;
    std::optional<ssl::context> tls;
    if (!arguments.certificate.empty()) {
        tls.emplace(ssl::context::tls_server);
        tls->use_certificate_chain_file(arguments.certificate);
        tls->use_private_key_file(arguments.key, ssl::context::pem);
    }
    boost::asio::io_context context(1); // one thread
    beast_driver::server driver(
        context, io, application,
        {.max_payload = arguments.engine.max_payload,
         .limits = {.header = arguments.header_limit},
         .cors = {.origins = arguments.origins.empty() ? std::vector<std::string>{"*"} : arguments.origins,
                  .credentials = arguments.allows_credentials},
         .tls = tls ? &*tls : nullptr,
         .page = std::move(page)});
    driver.close_on_signal();
    auto const port = driver.listen(arguments.port);
    std::printf("listening on %u\n", static_cast<unsigned>(port));
    if (listening) listening(port);
    std::fflush(stdout);
    context.run();
    return 0;
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
