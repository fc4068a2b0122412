// What servers say of Redis, on standard error.
#pragma once

#include "redis_option.hpp"

#include <socketless/cluster/event.hpp>

#include <cstddef>
#include <cstdio>
#include <set>
#include <string>
#include <utility>

// Says each thing once, until Redis is there again; nor the beginning of what was said.
class redis_reports {
public:
    explicit redis_reports(redis_arguments const& redis)
        : address_("Redis " + redis.host + ':' + std::to_string(redis.port) + ": ") {}

    void say(std::string what) {
        // Redis says sentences.
        if (auto const dot = what.find(".;"); dot != std::string::npos) what.erase(dot, 1);
        if (what.ends_with('.')) what.pop_back();
        auto const next = said_.lower_bound(what);
        if (said_.size() == most || (next != said_.end() && next->starts_with(what))) return;
        std::fprintf(stderr, "%s%s\n", address_.c_str(), what.c_str());
        said_.insert(std::move(what));
    }

    // The driver has said already why the bus is lost.
    void note(socketless::cluster::event const& e) {
        using enum socketless::cluster::event_type;
        if (e.type == dropped) say("messages for the other servers are dropped");
        if (e.type != bus_connected) return;
        said_.clear();
        say("connected");
    }

private:
    static constexpr std::size_t most = 20; // whatever Redis may answer

    std::string address_;
    std::set<std::string> said_;
};
