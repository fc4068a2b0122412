// The common part of the servers that act as one over Redis.
#pragma once

#include "command_line.hpp"
#include "posix/redis.hpp"
#include "posix/watchers.hpp"
#include "redis_option.hpp"
#include "redis_reports.hpp"

#include <socketless/cluster/options.hpp>
#include <socketless/cluster/redis_node.hpp>
#include <socketless/core/system_random.hpp>
#include <socketless/server.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct cluster_arguments {
    redis_arguments redis = {};
    socketless::cluster::redis_mode mode = socketless::cluster::redis_mode::pubsub;
    socketless::cluster::node_options node = {};

    static constexpr std::string_view usage = R"(
  --redis HOST:PORT                 acts as one with all servers on this Redis, those of Node too
  --redis-prefix P                  what the names of channels begin with: socket.io; those of streams' keys too
  --redis-mode M                    pubsub, as @socket.io/redis-adapter does it, is the default; or streams, as
                                    @socket.io/redis-streams-adapter does it: clients recover on any server then
  --redis-timeout MS                how long answers of other servers are awaited: 5000)";

    void declare(command_line& line) {
        redis.declare(line);
        line.option("--redis-timeout", node.request_timeout);
        line.option("--redis-mode", "is pubsub or streams", [this](std::string_view name) {
            if (name == "streams") mode = socketless::cluster::redis_mode::streams;
            return name == "streams" || name == "pubsub";
        });
        for (auto const* const name : {"--redis-prefix", "--redis-mode", "--redis-timeout"})
            line.needs(name, "--redis");
    }

    [[nodiscard]] socketless::cluster::redis_options options() const {
        return {
            .mode = mode, .prefix = redis.prefix, .stream_name = redis.prefix, .session_prefix = redis.session_prefix};
    }
};

// The node of a server, and its link to Redis; neither without --redis.
class redis_cluster {
public:
    // Precondition: they outlive the cluster.
    redis_cluster(cluster_arguments const& arguments, socketless::server& io)
        : arguments_(arguments), reports_(arguments.redis) {
        if (arguments.redis.host.empty()) return;
        node_.emplace(io, arguments.node, arguments.options(), socketless::system_random(),
                      std::chrono::steady_clock::now());
    }

    [[nodiscard]] socketless::cluster::redis_node* node() { return node_ ? &*node_ : nullptr; }

    // The application's `handle` gets the events of the node.
    template <class Application>
    [[nodiscard]] posix_driver::companion* link(Application& application) {
        if (!node_) return nullptr;
        return &link_.emplace(
            *node_, arguments_.mode, arguments_.redis.host, arguments_.redis.port,
            [this, &application](socketless::cluster::event& e) { reports_.note(e), application.handle(e); },
            [this](std::string what) { reports_.say(std::move(what)); });
    }

private:
    cluster_arguments const& arguments_;
    redis_reports reports_;
    std::optional<socketless::cluster::redis_node> node_;
    std::optional<posix_driver::redis> link_;
};
