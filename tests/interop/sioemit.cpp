// sioemit: emits to the sockets of all servers on a Redis, from the shell.
#include "command_line.hpp"
#include "posix/descriptor.hpp"
#include "redis_option.hpp"
#include "siocat/values.hpp"

#include <socketless/cluster/emitter.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace socketless;

constexpr std::string_view usage = R"(sioemit [options] [EVENT JSON...]
Emits an event to the sockets of all servers on a Redis, C++ and Node, without being a server. Arguments are JSON: text
is "quoted", bytes are {"$binary":"hex"}.

  --redis HOST:PORT       127.0.0.1:6379
  --redis-prefix P        what the names of channels begin with: socket.io
  --nsp N                 the namespace: /
  --room R                only to the sockets in this room; may be given several times
  --except R              not to those in this room; may be given several times
  --volatile              only to those whose transport can take it at once

Instead of emitting an event to these sockets:

  --join R, --leave R     puts them into a room, takes them out of it; may be given several times
  --disconnect            disconnects them from the namespace
  --disconnect-connections  and closes their connections
  --servers               emits the event to the applications of the servers

-- ends the options. The exit code is 0 if Redis has taken it.)";

struct options {
    redis_arguments redis{.host = "127.0.0.1", .port = 6379};
    std::string nsp = "/";
    std::vector<std::string> rooms;
    std::vector<std::string> except;
    std::vector<std::string> joined;
    std::vector<std::string> left;
    bool is_volatile = false;
    bool disconnects = false;
    bool disconnects_connections = false;
    bool is_for_servers = false;
    std::vector<std::string_view> words; // the event and its arguments

    // An option that is given; empty if an event is to be emitted.
    [[nodiscard]] std::string_view instead_of_event() const {
        if (!joined.empty()) return "--join";
        if (!left.empty()) return "--leave";
        if (disconnects) return "--disconnect";
        return disconnects_connections ? "--disconnect-connections" : "";
    }
    [[nodiscard]] bool wants_event() const { return instead_of_event().empty(); }
};

options read_options(int argc, char** argv) {
    options o;
    command_line line(usage);
    auto const list = [&line](std::string_view name, std::vector<std::string>& to) {
        line.option(name, {}, [&to](std::string_view value) { return to.emplace_back(value), true; });
    };
    o.redis.declare(line);
    line.option("--nsp", o.nsp);
    list("--room", o.rooms);
    list("--except", o.except);
    list("--join", o.joined);
    list("--leave", o.left);
    line.flag("--volatile", o.is_volatile);
    line.flag("--disconnect", o.disconnects);
    line.flag("--disconnect-connections", o.disconnects_connections);
    line.flag("--servers", o.is_for_servers);
    line.flag("--redis-mode", [&line] { line.fail("emitters work with Pub/Sub only"); });
    o.words = line.parse(argc, argv);
    if (!o.wants_event() && (!o.words.empty() || o.is_volatile || o.is_for_servers))
        line.fail(std::string(o.instead_of_event()) +
                  (o.is_for_servers ? " does not go with --servers" : " takes no event"));
    if (o.wants_event() && o.words.empty()) line.fail("no event to emit");
    if (o.is_for_servers && (!o.rooms.empty() || !o.except.empty() || o.is_volatile))
        line.fail("--servers is for all servers: --room, --except and --volatile do not go with it");
    return o;
}

// What is wrong, as an exception.
cluster::publication checked(result<cluster::publication>&& made) {
    if (!made && made.error().code == errc::unexpected_binary)
        throw std::runtime_error("events for servers cannot carry bytes");
    if (!made) throw std::runtime_error(std::string(message(made.error().code)));
    return *std::move(made);
}

std::vector<cluster::publication> publications(options const& o) {
    cluster::emitter io(o.nsp, o.redis.prefix);
    for (std::string const& room : o.rooms) io = io.to(room);
    for (std::string const& room : o.except) io = io.except(room);
    std::vector<cluster::publication> all;
    if (!o.joined.empty()) all.push_back(checked(io.join(o.joined)));
    if (!o.left.empty()) all.push_back(checked(io.leave(o.left)));
    if (o.disconnects) all.push_back(checked(io.disconnect()));
    if (o.disconnects_connections) all.push_back(checked(io.disconnect_connections()));
    if (!o.wants_event()) return all;

    std::string array = "[";
    for (std::size_t i = 1; i < o.words.size(); ++i) {
        if (i > 1) array += ',';
        array += siocat::read_value(o.words[i]).raw();
    }
    siocat::given_arguments const args(json::text::trusted(array += ']'));
    auto const event = o.words.front();
    if (o.is_for_servers)
        all.push_back(checked(io.server_side_emit(event, args)));
    else
        all.push_back(checked(o.is_volatile ? io.emit_volatile(event, args) : io.emit(event, args)));
    return all;
}

class redis {
public:
    explicit redis(redis_arguments const& at)
        : address_(at.host + ':' + std::to_string(at.port)),
          context_(::redisConnectWithTimeout(at.host.c_str(), at.port, patience), ::redisFree) {
        std::signal(SIGPIPE, SIG_IGN); // hiredis writes to connections that are lost
        check(context_ != nullptr && context_->err == 0 && ::redisSetTimeout(context_.get(), patience) == REDIS_OK);
    }

    // Returns how many servers have got it.
    long long publish(cluster::publication const& p) {
        std::array<char const*, 3> words{};
        std::array<std::size_t, 3> sizes{};
        for (std::size_t i = 0; i != words.size(); ++i) {
            words[i] = p.words()[i].data();
            sizes[i] = p.words()[i].size();
        }
        std::unique_ptr<void, void (*)(void*)> const reply(
            ::redisCommandArgv(context_.get(), static_cast<int>(words.size()), words.data(), sizes.data()),
            ::freeReplyObject);
        check(reply != nullptr);
        auto const& said = *static_cast<redisReply const*>(reply.get());
        if (said.type == REDIS_REPLY_ERROR) throw std::runtime_error(address_ + ": " + std::string(said.str, said.len));
        return said.integer;
    }

private:
    static constexpr timeval patience{5, 0};

    void check(bool is_good) const {
        int const number = errno;
        if (is_good) return;
        if (context_ == nullptr) throw std::runtime_error(address_ + ": no memory");
        if (context_->err == REDIS_ERR_PROTOCOL) throw std::runtime_error(address_ + " is no Redis");
        bool const is_late = context_->err == REDIS_ERR_IO && number == EAGAIN;
        throw std::runtime_error(address_ + ": " + (is_late ? "no answer from Redis" : context_->errstr));
    }

    std::string address_;
    std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

} // namespace

int main(int argc, char** argv) try {
    posix_driver::open_standard_streams();
    auto const options = read_options(argc, argv);
    auto const all = publications(options);
    redis connection(options.redis);
    long long least = std::numeric_limits<long long>::max();
    for (auto const& publication : all) least = std::min(least, connection.publish(publication));
    if (least == 0)
        std::fprintf(stderr, "sioemit: no server listens: other prefix, or servers with --redis-mode streams?\n");
    return 0;
} catch (std::exception const& e) {
    std::fprintf(stderr, "sioemit: %s\n", e.what());
    return 1;
}
