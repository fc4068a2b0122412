// Open streams whose first packet is still missing: it says which session they are for.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

class new_streams {
public:
    struct stream {
        std::unique_ptr<stream_reader> reader;
        std::uint64_t number; // tells it from others of the same name
        std::uint64_t context;
        bool is_paused = false;
    };

    // The first packet of a stream, and the stream, which is no longer new.
    struct opening {
        result<frame> first; // borrowed from the reader
        new_streams::stream stream;
    };

    // The stream must speak before `deadline`. Deadlines never go back.
    void add(channel_id channel, time_point deadline, std::size_t max_payload, std::uint64_t context) {
        deadlines_.push_back({deadline, channel, ++last_});
        streams_.emplace(channel, stream{std::make_unique<stream_reader>(max_payload), last_, context});
    }

    // The next bytes of a stream. Nothing if its first packet is not whole yet, or there is no such stream.
    [[nodiscard]] std::optional<opening> push(channel_id channel, std::string_view chunk) {
        auto const found = streams_.find(channel);
        if (found == streams_.end()) return std::nullopt;
        found->second.reader->push(chunk);
        auto const first = found->second.reader->next();
        if (!first) return std::nullopt;
        auto spoken = std::move(found->second);
        streams_.erase(found);
        return opening{*first, std::move(spoken)};
    }

    void remove(channel_id channel) { streams_.erase(channel); }

    void set_paused(channel_id channel, bool is_paused) {
        if (auto const found = streams_.find(channel); found != streams_.end()) found->second.is_paused = is_paused;
    }

    // Calls f(channel_id, context) for each stream that has not spoken in time, and removes it.
    template <class F>
    void expire(time_point now, F f) {
        for (; !deadlines_.empty() && deadlines_.front().at <= now; deadlines_.pop_front()) {
            auto const& expired = deadlines_.front();
            auto const found = streams_.find(expired.channel);
            if (found == streams_.end() || found->second.number != expired.number) continue;
            f(expired.channel, found->second.context);
            streams_.erase(found);
        }
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.front().at);
    }

private:
    struct stream_deadline {
        time_point at;
        channel_id channel;
        std::uint64_t number;
    };

    std::unordered_map<channel_id, stream> streams_;
    std::deque<stream_deadline> deadlines_;
    std::uint64_t last_ = 0;
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
