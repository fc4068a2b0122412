// What the reference publishes on Redis, as recorded: tests/data/cluster/redis-pubsub.jsonl.
#pragma once

#include "tools/data.hpp"
#include "tools/hex.hpp"

#include <socketless/cluster/detail/message.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace support {

// One message that was published.
class redis_line {
public:
    explicit redis_line(socketless::json::text line)
        : line_(line), bytes_(from_hex(text("message_hex")).value_or("")) {}

    [[nodiscard]] socketless::json::text member(std::string_view key) const {
        return line_.find(key).value_or(socketless::json::text());
    }
    [[nodiscard]] std::string text(std::string_view key) const {
        return member(key).get<std::string>().value_or(std::string());
    }
    [[nodiscard]] std::string const& bytes() const { return bytes_; }
    [[nodiscard]] bool is_again() const { return member("again").get<bool>().value_or(false); }

private:
    socketless::json::text line_;
    std::string bytes_;
};

// Calls `f(redis_line const&)` for each line, and returns how many there are.
template <class F>
std::size_t for_each_redis_line(F f) {
    std::size_t count = 0;
    for (std::string const& line : data_lines("cluster/redis-pubsub.jsonl")) {
        f(redis_line(socketless::json::validate(line).value()));
        ++count;
    }
    return count;
}

} // namespace support
