// The exchanges and channels that are under way, as transmits tell: each is begun once and ends once.
#pragma once

#include "drivers/lines.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/session.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace support {

struct under_way {
    // Exchanges that have not been answered, and channels that are open.
    std::set<std::uint64_t> exchanges;
    std::set<std::uint64_t> channels;
    // Targets of a client's requests.
    std::map<std::uint64_t, std::string> targets;

    void note(engineio::transmit const& t) {
        using enum engineio::transmit_type;
        switch (t.type) {
        case respond:
        case abort: REQUIRE(exchanges.erase(t.id) == 1); break;
        case get:
        case post:
            REQUIRE(exchanges.insert(t.id).second);
            targets[t.id] = t.target;
            break;
        case open_websocket:
        case open_stream:
            REQUIRE(channels.insert(t.id).second);
            targets[t.id] = t.target;
            break;
        case send: REQUIRE(channels.contains(t.id)); break;
        case close: REQUIRE(channels.erase(t.id) == 1); break;
        }
    }
};

} // namespace support
