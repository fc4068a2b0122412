// A chat: nicknames, rooms, pictures, who is there and who is typing. Serves its page too.
//
// With --redis, all such servers on one Redis are one chat. A server that starts later, or has lost Redis, gets the
// rooms and what was said there from the others, but no pictures from before.
#include "chat/chat.hpp"
#include "optional_cluster.hpp"
#include "server_program.hpp"

#include <socketless/cluster/event.hpp>
#include <socketless/core/system_random.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/wire/request.hpp>
#include <socketless/wire/server.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using namespace socketless;

namespace {

// These files and no others, read once.
class page {
public:
    page(std::string const& directory, std::string const& client) {
        add("/", "text/html; charset=utf-8", directory + "/index.html");
        add("/chat.js", "text/javascript; charset=utf-8", directory + "/chat.js");
        add("/chat.css", "text/css; charset=utf-8", directory + "/chat.css");
        add("/icon.svg", "image/svg+xml", directory + "/icon.svg");
        add("/socket.io.min.js", "text/javascript; charset=utf-8", client + "/socket.io.min.js");
    }

    [[nodiscard]] wire::response answer(wire::request const& r) const {
        auto const found = files_.find(r.path());
        if (found == files_.end()) return {.status = 404};
        if (r.method != "GET" && r.method != "HEAD") return {.status = 405};
        static constexpr http::field fields[] = {
            {"Cache-Control", "no-cache"},
            {"Content-Security-Policy", "default-src 'self'; img-src 'self' blob:; object-src 'none'; "
                                        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
            {"X-Content-Type-Options", "nosniff"},
        };
        return {.content_type = found->second.type, .body = found->second.bytes, .fields = fields};
    }

private:
    struct file {
        std::string type;
        std::string bytes;
    };

    void add(std::string_view target, std::string type, std::string const& path) {
        std::ifstream in(path, std::ios::binary);
        if (!in) throw std::runtime_error(path + " is not there (npm ci in tests/interop brings socket.io.min.js)");
        files_.emplace(target, file{std::move(type), std::string(std::istreambuf_iterator<char>(in), {})});
    }

    std::map<std::string, file, std::less<>> files_;
};

struct site {
    chat::application& chat;
    page const& files;

    void handle(socketio::event& e) { chat.handle(e); }
    void handle(cluster::event& e) { chat.handle(e); }
    [[nodiscard]] wire::response answer(wire::request const& r) const { return files.answer(r); }
};

} // namespace

int main(int argc, char** argv) try {
    server_arguments arguments{.port = 3000, .path = "/socket.io/"};
    std::string const usage =
        "chat_server [option]..." + arguments.usage() + std::string(cluster_arguments::usage) + R"(
  --page DIRECTORY                  that has index.html
  --client DIRECTORY                that has socket.io.min.js)";
    arguments.engine.max_payload = 5'000'000; // base64 of the largest picture takes 4'000'000
    arguments.engine.ping_interval = std::chrono::seconds(10);
    arguments.engine.ping_timeout = std::chrono::seconds(10);
    cluster_arguments cluster;
    std::string directory = CHAT_PAGE;
    std::string client = CHAT_CLIENT;
    command_line line(usage);
    arguments.declare(line);
    cluster.declare(line);
    line.option("--page", directory);
    line.option("--client", client);
    line.parse_options(argc, argv);

    auto options = arguments.wire();
    options.other_paths = wire::other_paths::application;
    wire::server<> io({.engine = arguments.engine,
                       .recovery = socketio::recovery_options(),
                       .skip_middlewares = false,
                       .path = arguments.path},
                      options, system_random(), std::chrono::steady_clock::now());
    // Nothing reads it again: the chat sets the data of a socket that comes back, too, before it lets it in.
    cluster.node.write_data = [&io](socketio::socket_handle socket, json::writer& out) {
        out.value(chat::application::nickname(io.protocol(), socket));
    };
    redis_cluster redis(cluster, io.protocol());
    chat::application application(io.protocol(), redis.node());
    page const files(directory, client);
    site both{application, files};
    bool const is_secure = !arguments.certificate.empty();
    auto const invite = [is_secure](std::uint16_t port) {
        std::printf("\nOpen http%s://localhost:%u/ in two windows and talk. Ctrl-C ends it.\n", is_secure ? "s" : "",
                    static_cast<unsigned>(port));
    };
    return serve(io, both, arguments, invite, redis.link(both));
} catch (std::exception const& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
