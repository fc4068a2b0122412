// What redis_cluster.hpp offers; without hiredis, a server that is always alone.
#pragma once

#ifdef SOCKETLESS_HAS_HIREDIS

#include "redis_cluster.hpp"

#else

#include "command_line.hpp"
#include "posix/watchers.hpp"

#include <socketless/cluster/node.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/server.hpp>

#include <string>
#include <string_view>

struct cluster_arguments {
    socketless::cluster::node_options node = {};

    static constexpr std::string_view usage = {};

    void declare(command_line& line) {
        for (auto const* const name : {"--redis", "--redis-prefix", "--redis-mode", "--redis-timeout"})
            line.flag(name, [&line, name] {
                line.fail(std::string(name) + ": built without hiredis (libhiredis-dev, pkg-config)");
            });
    }
};

class redis_cluster {
public:
    redis_cluster(cluster_arguments const&, socketless::server&) {}

    [[nodiscard]] socketless::cluster::node* node() { return nullptr; }

    template <class Application>
    [[nodiscard]] posix_driver::companion* link(Application&) {
        return nullptr;
    }
};

#endif
