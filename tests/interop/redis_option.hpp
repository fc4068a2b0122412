// `--redis` of the programs: the Redis over which servers act as one.
#pragma once

#include "command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

struct redis_arguments {
    std::string host = {}; // empty without --redis
    std::uint16_t port = 0;
    std::string prefix = "socket.io";
    std::string session_prefix = "sio:session:"; // of Redis Streams; begins with the prefix if that is given

    void declare(command_line& line) {
        line.option("--redis", "wants HOST:PORT", [this](std::string_view address) { return read(address); });
        line.option("--redis-prefix", {}, [this](std::string_view given) {
            prefix = given;
            session_prefix = prefix + ":session:";
            return true;
        });
    }

private:
    // HOST:PORT, or [ADDRESS]:PORT of IPv6.
    bool read(std::string_view address) {
        auto const colon = std::min(address.rfind(':'), address.size());
        host = address.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        auto const digits = address.substr(std::min(colon + 1, address.size()));
        auto const end = digits.data() + digits.size();
        auto const done = std::from_chars(digits.data(), end, port);
        return !host.empty() && port != 0 && done.ec == std::errc() && done.ptr == end;
    }
};
