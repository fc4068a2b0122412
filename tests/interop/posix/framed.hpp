// Streams without HTTP: the framing of WebTransport on the connections of posix/network.hpp.
#pragma once

#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/wire/transmit.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace posix_driver {

namespace engineio = socketless::engineio;
namespace wire = socketless::wire;
using socketless::time_point;

/// Stands where a wire::server or a wire::client would: each connection is a stream of the session, which is a
/// socketless::server, a socketless::client or a session of Engine.IO alone.
template <class Session>
class framed {
public:
    /// The host and the port are those that the streams of a client lead to.
    explicit framed(Session& io, std::string host = {}, std::uint16_t port = 0)
        : io_(io), host_(std::move(host)), port_(port) {}

    //=== what happened ===//

    void accepted(wire::connection_id id, std::string_view, time_point now) {
        streams_[id] = {};
        if constexpr (requires { io_.stream_opened(id, now); }) io_.stream_opened(id, now);
    }
    void connected(wire::connection_id id, time_point now) {
        streams_[id].is_connecting = false;
        if constexpr (requires { io_.channel_opened(id, now); }) io_.channel_opened(id, now);
    }
    void received(wire::connection_id id, std::span<char> bytes, time_point now) {
        if (!streams_[id].deadline) io_.stream_received(id, {bytes.data(), bytes.size()}, now);
    }
    void ended(wire::connection_id id, time_point now) {
        now_ = now;
        if (!std::exchange(streams_[id].deadline, now)) io_.channel_closed(id, now);
    }
    void closed(wire::connection_id id, time_point now) {
        auto const gone = streams_.extract(id);
        if (gone && !gone.mapped().deadline) io_.channel_closed(id, now);
    }
    void pause(wire::connection_id id) {
        streams_[id].is_paused = true;
        io_.pause(id);
    }
    void resume(wire::connection_id id) {
        streams_[id].is_paused = false;
        io_.resume(id);
    }
    void handle_timeout(time_point now) {
        now_ = now;
        io_.handle_timeout(now);
    }

    //=== what it means, what to do, when to come back ===//

    [[nodiscard]] auto poll_event() { return io_.poll_event(); }
    [[nodiscard]] std::optional<wire::transmit> poll_transmit(std::string& buffer) {
        using wire::transmit_type;
        while (auto const t = io_.poll_transmit(buffer)) {
            switch (t->type) {
            case engineio::transmit_type::open_stream:
                streams_[t->id].is_connecting = true;
                return wire::transmit{
                    .type = transmit_type::connect, .connection = t->id, .host = host_, .port = port_};
            case engineio::transmit_type::send:
                return wire::transmit{.type = transmit_type::send, .connection = t->id, .data = t->data.data};
            case engineio::transmit_type::close:
                if (auto const s = streams_.find(t->id); s != streams_.end()) s->second.deadline = now_ + max_goodbye;
                break;
            default: break; // of other transports
            }
        }
        // To close a stream at once would lose bytes on their way: the peer still sends, and would get a reset.
        for (auto& [id, s] : streams_) {
            if (!s.deadline) continue;
            if (s.is_connecting || *s.deadline <= now_) return close(id);
            if (!s.is_paused && !std::exchange(s.has_ended, true))
                return wire::transmit{.type = transmit_type::end, .connection = id};
        }
        return std::nullopt;
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const {
        auto next = io_.poll_timeout();
        for (auto const& [id, s] : streams_) next = socketless::earlier(next, s.deadline);
        return next;
    }

    /// Whether a client has nothing left to wait for.
    [[nodiscard]] bool is_done() const { return io_.is_idle() && streams_.empty(); }

private:
    static constexpr std::chrono::seconds max_goodbye{5};

    struct stream {
        bool is_connecting = false;
        bool is_paused = false;
        bool has_ended = false;                            // our side
        std::optional<time_point> deadline = std::nullopt; // the session has let it go: when to close it, at the latest
    };

    wire::transmit close(wire::connection_id id) {
        streams_.erase(id);
        return {.type = wire::transmit_type::close, .connection = id};
    }

    Session& io_;
    std::string host_;
    std::uint16_t port_;
    time_point now_{};
    std::map<wire::connection_id, stream> streams_;
};

} // namespace posix_driver
